//! The `laws!` macro: one definition, and of it the tests, the fuzz function and the dictionary.

/// Makes a module of a codec and a few of its messages: a `#[test]` for each law, and for a fuzzer a function, a dictionary and seeds.
///
/// ```
/// # use enjamb_law::Machines;
/// # use enjamb_protocols::Framing;
/// enjamb_law::laws! {
///     mod lines {
///         subject: Machines(|| enjamb::Framer::new(Framing::parse("lines max=64").unwrap().handler())),
///         messages: ["one\n", "two\r\n", "\n"],
///         limit: 64,
///     }
/// }
/// # fn main() { lines::laws().assert(enjamb_law::Law::Split) }
/// ```
///
/// The module holds
///
/// * `laws()`: the definition, a [`Laws`](crate::Laws);
/// * a test for each [`Law`](crate::Law), under its name. A law that does not apply passes and says why;
/// * `fuzz(data)`: the body of a fuzz target, `fuzz_target!(|data: &[u8]| lines::fuzz(data))`;
/// * `dictionary()` and `seeds()` for it.
///
/// `subject` comes first. All that follows are calls of the methods of [`Laws`](crate::Laws) of that name, with one argument each; of `messages`, `tokens` and
/// `without` there is a list: `without: [End => "a partial line is given out"]`.
#[macro_export]
macro_rules! laws {
    ($(#[$meta:meta])* $visibility:vis mod $name:ident { subject: $subject:expr $(, $($settings:tt)*)? }) => {
        $(#[$meta])*
        $visibility mod $name {
            #[allow(unused_imports)]
            use super::*;

            /// The definition.
            pub fn laws() -> $crate::Laws<impl $crate::Subject<Event: $crate::Comparable, Error: $crate::Comparable> + Send + Sync + 'static> {
                let laws = $crate::Laws::new(stringify!($name), $subject)
                    .expression(concat!(stringify!($name), "::laws().into_subject()"));
                $crate::laws!(@with laws; $($($settings)*)?)
            }

            /// The body of a fuzz target.
            pub fn fuzz(data: &[u8]) {
                static FUZZ: std::sync::OnceLock<Box<dyn Fn(&[u8]) + Send + Sync>> = std::sync::OnceLock::new();
                FUZZ.get_or_init(|| Box::new(laws().into_fuzz()))(data);
            }

            /// A dictionary for a fuzzer.
            pub fn dictionary() -> String {
                laws().dictionary()
            }

            /// Seeds for a fuzzer.
            pub fn seeds() -> Vec<Vec<u8>> {
                laws().seeds()
            }

            $crate::laws!(@tests total split coalesce prompt quiet end alone fused bounded linear awake round_trip);
        }
    };
    (@tests $($law:ident)*) => {
        $(
            #[test]
            fn $law() {
                let law = match stringify!($law).parse() {
                    Ok(law) => law,
                    Err(unknown) => panic!("{unknown}"),
                };
                let path = concat!(module_path!(), "::", stringify!($law));
                laws().in_test(path.split_once("::").map_or(path, |(_, name)| name)).assert(law);
            }
        )*
    };
    (@with $laws:expr; $(,)?) => { $laws };
    (@with $laws:expr; messages: [$($message:expr),* $(,)?] $(, $($rest:tt)*)?) => {
        $crate::laws!(@with $laws $(.message($message))*; $($($rest)*)?)
    };
    (@with $laws:expr; tokens: [$($token:expr),* $(,)?] $(, $($rest:tt)*)?) => {
        $crate::laws!(@with $laws $(.token($token))*; $($($rest)*)?)
    };
    (@with $laws:expr; without: [$($law:ident => $reason:expr),* $(,)?] $(, $($rest:tt)*)?) => {
        $crate::laws!(@with $laws $(.without($crate::Law::$law, $reason))*; $($($rest)*)?)
    };
    (@with $laws:expr; $setting:ident: $value:expr $(, $($rest:tt)*)?) => {
        $crate::laws!(@with $laws.$setting($value); $($($rest)*)?)
    };
}
