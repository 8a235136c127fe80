//! The `laws!` macro: from one definition the tests, the fuzz target and the dictionary.

/// Makes a module from a codec and a few of its messages: a `#[test]` for each law, and for a
/// fuzzer a function, a dictionary and seeds.
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
/// The module contains
///
/// * `laws()`: the definition, a [`Laws`](crate::Laws);
/// * a test for each [`Law`](crate::Law), under its name;
/// * `fuzz(data)`: the body of a fuzz target, `fuzz_target!(|data: &[u8]| lines::fuzz(data))`;
/// * `dictionary()` and `seeds()` for the fuzzer.
///
/// # Keys
///
/// `subject` comes first. Every other key calls the method of [`Laws`](crate::Laws) with that name.
/// `messages`, `answers` and `tokens` take lists. `without` takes a list of laws with literal
/// reasons: `without: [End => "a partial line is emitted"]`.
///
/// # Laws that do not apply
///
/// The keys decide, when the test is compiled, which laws apply. The test of another law has an
/// `#[ignore]` with the reason, so that `cargo test` prints `ignored, no limit is set` and never
/// `ok`.
///
/// | law | applies with |
/// |---|---|
/// | `total`, `split`, `quiet` | every definition |
/// | `coalesce`, `prompt`, `end`, `alone`, `linear` | `messages` |
/// | `coalesce` | streams that are not `one_message: true` |
/// | `alone` | messages that are not `dependent: true`, streams that are not `one_message: true`, and no `carries` |
/// | `end` | a subject that is not `ends: false` |
/// | `linear` | a subject that is not `rescans: true` |
/// | `bounded` | `limit` or `bound` |
/// | `round_trip` | `encode` |
/// | `fused` | `fuses: true` |
/// | `awake` | `waits: true` |
/// | `interleaved` | `messages` and `converses: true` |
///
/// Five of these keys describe the subject, and are set if the expression of the subject begins
/// with the name of an adapter that always has this property: `waits` for `Reading`, `Writing`,
/// `Streaming`, `Serving` and `Connecting::asynchronous`, `fuses` for `Machines`, `rescans` for
/// `Parsing`, `converses` for `Sessions`, and `ends: false` for `Pushing` and `Accumulating`
/// without `.at_end(...)`. A key in the definition takes precedence. If a key differs from the
/// report of the subject, the tests fail and name the key.
#[macro_export]
macro_rules! laws {
    ($(#[$meta:meta])* $visibility:vis mod $name:ident { subject: Connecting::asynchronous $($rest:tt)* }) => {
        $crate::__law_module! {
            [$(#[$meta])* $visibility mod $name] [waits: true] subject: Connecting::asynchronous $($rest)*
        }
    };
    ($(#[$meta:meta])* $visibility:vis mod $name:ident { subject: Reading $($rest:tt)* }) => {
        $crate::__law_module! { [$(#[$meta])* $visibility mod $name] [waits: true] subject: Reading $($rest)* }
    };
    ($(#[$meta:meta])* $visibility:vis mod $name:ident { subject: Writing $($rest:tt)* }) => {
        $crate::__law_module! { [$(#[$meta])* $visibility mod $name] [waits: true] subject: Writing $($rest)* }
    };
    ($(#[$meta:meta])* $visibility:vis mod $name:ident { subject: Streaming $($rest:tt)* }) => {
        $crate::__law_module! { [$(#[$meta])* $visibility mod $name] [waits: true] subject: Streaming $($rest)* }
    };
    ($(#[$meta:meta])* $visibility:vis mod $name:ident { subject: Serving $($rest:tt)* }) => {
        $crate::__law_module! { [$(#[$meta])* $visibility mod $name] [waits: true] subject: Serving $($rest)* }
    };
    ($(#[$meta:meta])* $visibility:vis mod $name:ident { subject: Machines $($rest:tt)* }) => {
        $crate::__law_module! { [$(#[$meta])* $visibility mod $name] [fuses: true] subject: Machines $($rest)* }
    };
    ($(#[$meta:meta])* $visibility:vis mod $name:ident { subject: Parsing $($rest:tt)* }) => {
        $crate::__law_module! { [$(#[$meta])* $visibility mod $name] [rescans: true] subject: Parsing $($rest)* }
    };
    ($(#[$meta:meta])* $visibility:vis mod $name:ident { subject: Pushing $($rest:tt)* }) => {
        $crate::__law_ends! { [$(#[$meta])* $visibility mod $name] [subject: Pushing] $($rest)* }
    };
    ($(#[$meta:meta])* $visibility:vis mod $name:ident { subject: Accumulating $($rest:tt)* }) => {
        $crate::__law_ends! { [$(#[$meta])* $visibility mod $name] [subject: Accumulating] $($rest)* }
    };
    ($(#[$meta:meta])* $visibility:vis mod $name:ident { subject: Sessions $($rest:tt)* }) => {
        $crate::__law_module! { [$(#[$meta])* $visibility mod $name] [converses: true] subject: Sessions $($rest)* }
    };
    ($(#[$meta:meta])* $visibility:vis mod $name:ident { subject: $($rest:tt)* }) => {
        $crate::__law_module! { [$(#[$meta])* $visibility mod $name] [] subject: $($rest)* }
    };
}

/// Looks for `at_end` in a subject that learns of the end of the stream only by that call.
#[doc(hidden)]
#[macro_export]
macro_rules! __law_ends {
    ($head:tt [$($before:tt)*] at_end $($rest:tt)*) => {
        $crate::__law_module! { $head [] $($before)* at_end $($rest)* }
    };
    ($head:tt [$($before:tt)*] $next:tt $($rest:tt)*) => {
        $crate::__law_ends! { $head [$($before)* $next] $($rest)* }
    };
    ($head:tt [$($all:tt)*]) => {
        $crate::__law_module! { $head [ends: false] $($all)* }
    };
}

/// The module of a definition. The keys in the second list are those that the subject's name
/// implies.
#[doc(hidden)]
#[macro_export]
macro_rules! __law_module {
    ([$(#[$meta:meta])* $visibility:vis mod $name:ident] [$($implied:ident: $value:tt)?] subject: $subject:expr $(, $($settings:tt)*)?) => {
        $(#[$meta])*
        $visibility mod $name {
            #[allow(unused_imports)]
            use super::*;

            /// The definition.
            pub fn laws() -> $crate::Laws<impl $crate::Subject<Event: $crate::Comparable, Error: $crate::Comparable> + Send + Sync + 'static> {
                let laws = $crate::Laws::new(stringify!($name), $subject)
                    .expression(concat!(stringify!($name), "::laws().into_subject()"))
                    .from_macro()
                    $(.$implied($value))?;
                $crate::__law_settings!(laws; $($($settings)*)?)
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

            $crate::__law_keys!([$(($implied $value))?] [] $($($settings)*)?);
        }
    };
}

/// The settings as calls of methods.
#[doc(hidden)]
#[macro_export]
macro_rules! __law_settings {
    ($laws:expr; $(,)?) => { $laws };
    ($laws:expr; messages: [$($message:expr),* $(,)?] $(, $($rest:tt)*)?) => {
        $crate::__law_settings!($laws $(.message($message))*; $($($rest)*)?)
    };
    ($laws:expr; answers: [$($answer:expr),* $(,)?] $(, $($rest:tt)*)?) => {
        $crate::__law_settings!($laws $(.answer($answer))*; $($($rest)*)?)
    };
    ($laws:expr; tokens: [$($token:expr),* $(,)?] $(, $($rest:tt)*)?) => {
        $crate::__law_settings!($laws $(.token($token))*; $($($rest)*)?)
    };
    ($laws:expr; without: [$($law:ident => $reason:literal),* $(,)?] $(, $($rest:tt)*)?) => {
        $crate::__law_settings!($laws $(.without($crate::Law::$law, $reason))*; $($($rest)*)?)
    };
    ($laws:expr; $setting:ident: $value:expr $(, $($rest:tt)*)?) => {
        $crate::__law_settings!($laws.$setting($value); $($($rest)*)?)
    };
}

/// The settings that decide which laws apply, each as one token tree. The implied keys come last,
/// so that a key of the definition is found first.
#[doc(hidden)]
#[macro_export]
macro_rules! __law_keys {
    ([$($implied:tt)*] [$($key:tt)*] $(,)?) => {
        $crate::__law_tests!(@without [$($key)* $($implied)*] total Total);
        $crate::__law_tests!(@without [$($key)* $($implied)*] split Split);
        $crate::__law_tests!(@without [$($key)* $($implied)*] coalesce Coalesce);
        $crate::__law_tests!(@without [$($key)* $($implied)*] prompt Prompt);
        $crate::__law_tests!(@without [$($key)* $($implied)*] quiet Quiet);
        $crate::__law_tests!(@without [$($key)* $($implied)*] end End);
        $crate::__law_tests!(@without [$($key)* $($implied)*] alone Alone);
        $crate::__law_tests!(@without [$($key)* $($implied)*] fused Fused);
        $crate::__law_tests!(@without [$($key)* $($implied)*] bounded Bounded);
        $crate::__law_tests!(@without [$($key)* $($implied)*] linear Linear);
        $crate::__law_tests!(@without [$($key)* $($implied)*] awake Awake);
        $crate::__law_tests!(@without [$($key)* $($implied)*] round_trip RoundTrip);
        $crate::__law_tests!(@without [$($key)* $($implied)*] interleaved Interleaved);
    };
    ($implied:tt [$($key:tt)*] without: [$($law:ident => $reason:literal),* $(,)?] $(, $($rest:tt)*)?) => {
        $crate::__law_keys!($implied [$($key)* $((without $law $reason))*] $($($rest)*)?);
    };
    ($implied:tt $keys:tt messages: [$(,)?] $(, $($rest:tt)*)?) => {
        $crate::__law_keys!($implied $keys $($($rest)*)?);
    };
    ($implied:tt [$($key:tt)*] messages: $list:expr $(, $($rest:tt)*)?) => {
        $crate::__law_keys!($implied [$($key)* (messages)] $($($rest)*)?);
    };
    ($implied:tt [$($key:tt)*] message: $message:expr $(, $($rest:tt)*)?) => {
        $crate::__law_keys!($implied [$($key)* (messages)] $($($rest)*)?);
    };
    ($implied:tt [$($key:tt)*] limit: $value:expr $(, $($rest:tt)*)?) => {
        $crate::__law_keys!($implied [$($key)* (bound)] $($($rest)*)?);
    };
    ($implied:tt [$($key:tt)*] bound: $value:expr $(, $($rest:tt)*)?) => {
        $crate::__law_keys!($implied [$($key)* (bound)] $($($rest)*)?);
    };
    ($implied:tt [$($key:tt)*] encode: $value:expr $(, $($rest:tt)*)?) => {
        $crate::__law_keys!($implied [$($key)* (encode)] $($($rest)*)?);
    };
    ($implied:tt [$($key:tt)*] carries: $state:literal $(, $($rest:tt)*)?) => {
        $crate::__law_keys!($implied [$($key)* (carries $state)] $($($rest)*)?);
    };
    ($implied:tt $keys:tt carries: $($rest:tt)*) => {
        compile_error!("`carries` must be a string literal: it is the reason of an ignored test");
    };
    ($implied:tt [$($key:tt)*] $flag:ident: true $(, $($rest:tt)*)?) => {
        $crate::__law_keys!($implied [$($key)* ($flag true)] $($($rest)*)?);
    };
    ($implied:tt [$($key:tt)*] $flag:ident: false $(, $($rest:tt)*)?) => {
        $crate::__law_keys!($implied [$($key)* ($flag false)] $($($rest)*)?);
    };
    ($implied:tt $keys:tt dependent: $($rest:tt)*) => {
        compile_error!("`dependent` must be `true` or `false`: it decides which tests there are");
    };
    ($implied:tt $keys:tt one_message: $($rest:tt)*) => {
        compile_error!("`one_message` must be `true` or `false`: it decides which tests there are");
    };
    ($implied:tt $keys:tt ends: $($rest:tt)*) => {
        compile_error!("`ends` must be `true` or `false`: it decides which tests there are");
    };
    ($implied:tt $keys:tt fuses: $($rest:tt)*) => {
        compile_error!("`fuses` must be `true` or `false`: it decides which tests there are");
    };
    ($implied:tt $keys:tt waits: $($rest:tt)*) => {
        compile_error!("`waits` must be `true` or `false`: it decides which tests there are");
    };
    ($implied:tt $keys:tt converses: $($rest:tt)*) => {
        compile_error!("`converses` must be `true` or `false`: it decides which tests there are");
    };
    ($implied:tt $keys:tt rescans: $($rest:tt)*) => {
        compile_error!("`rescans` must be `true` or `false`: it decides which tests there are");
    };
    ($implied:tt $keys:tt $setting:ident: $value:expr $(, $($rest:tt)*)?) => {
        $crate::__law_keys!($implied $keys $($($rest)*)?);
    };
}

/// The test of one law. Each step looks for one kind of key from the front of the list.
#[doc(hidden)]
#[macro_export]
macro_rules! __law_tests {
    // Checks whether the law is left out by name. The list is kept whole, and walked in a second
    // list.
    (@without [$($key:tt)*] $test:ident $law:ident) => {
        $crate::__law_tests!(@left_out [$($key)*] [$($key)*] $test $law);
    };
    (@left_out [(without Total $reason:literal) $($rest:tt)*] $keys:tt $test:ident Total) => { $crate::__law_tests!(@ignored $test Total $reason); };
    (@left_out [(without Split $reason:literal) $($rest:tt)*] $keys:tt $test:ident Split) => { $crate::__law_tests!(@ignored $test Split $reason); };
    (@left_out [(without Coalesce $reason:literal) $($rest:tt)*] $keys:tt $test:ident Coalesce) => { $crate::__law_tests!(@ignored $test Coalesce $reason); };
    (@left_out [(without Prompt $reason:literal) $($rest:tt)*] $keys:tt $test:ident Prompt) => { $crate::__law_tests!(@ignored $test Prompt $reason); };
    (@left_out [(without Quiet $reason:literal) $($rest:tt)*] $keys:tt $test:ident Quiet) => { $crate::__law_tests!(@ignored $test Quiet $reason); };
    (@left_out [(without End $reason:literal) $($rest:tt)*] $keys:tt $test:ident End) => { $crate::__law_tests!(@ignored $test End $reason); };
    (@left_out [(without Alone $reason:literal) $($rest:tt)*] $keys:tt $test:ident Alone) => { $crate::__law_tests!(@ignored $test Alone $reason); };
    (@left_out [(without Fused $reason:literal) $($rest:tt)*] $keys:tt $test:ident Fused) => { $crate::__law_tests!(@ignored $test Fused $reason); };
    (@left_out [(without Bounded $reason:literal) $($rest:tt)*] $keys:tt $test:ident Bounded) => { $crate::__law_tests!(@ignored $test Bounded $reason); };
    (@left_out [(without Linear $reason:literal) $($rest:tt)*] $keys:tt $test:ident Linear) => { $crate::__law_tests!(@ignored $test Linear $reason); };
    (@left_out [(without Awake $reason:literal) $($rest:tt)*] $keys:tt $test:ident Awake) => { $crate::__law_tests!(@ignored $test Awake $reason); };
    (@left_out [(without RoundTrip $reason:literal) $($rest:tt)*] $keys:tt $test:ident RoundTrip) => { $crate::__law_tests!(@ignored $test RoundTrip $reason); };
    (@left_out [(without Interleaved $reason:literal) $($rest:tt)*] $keys:tt $test:ident Interleaved) => { $crate::__law_tests!(@ignored $test Interleaved $reason); };
    (@left_out [$other:tt $($rest:tt)*] $keys:tt $test:ident $law:ident) => {
        $crate::__law_tests!(@left_out [$($rest)*] $keys $test $law);
    };
    (@left_out [] $keys:tt $test:ident $law:ident) => { $crate::__law_tests!(@$test $keys $keys $law); };

    // Checks whether the law applies.
    (@total $rest:tt $keys:tt $law:ident) => { $crate::__law_tests!(@tried total $law); };
    (@split $rest:tt $keys:tt $law:ident) => { $crate::__law_tests!(@tried split $law); };
    (@quiet $rest:tt $keys:tt $law:ident) => { $crate::__law_tests!(@tried quiet $law); };
    (@coalesce [(one_message true) $($rest:tt)*] $keys:tt $law:ident) => {
        $crate::__law_tests!(@ignored coalesce $law "a stream has only one message");
    };
    (@coalesce [$other:tt $($rest:tt)*] $keys:tt $law:ident) => { $crate::__law_tests!(@coalesce [$($rest)*] $keys $law); };
    (@coalesce [] $keys:tt $law:ident) => { $crate::__law_tests!(@messages $keys coalesce $law); };
    (@prompt $rest:tt $keys:tt $law:ident) => { $crate::__law_tests!(@messages $keys prompt $law); };
    (@end [(ends false) $($rest:tt)*] $keys:tt $law:ident) => {
        $crate::__law_tests!(@ignored end $law "it does not learn that the stream has ended");
    };
    (@end [(ends true) $($rest:tt)*] $keys:tt $law:ident) => { $crate::__law_tests!(@messages $keys end $law); };
    (@end [$other:tt $($rest:tt)*] $keys:tt $law:ident) => { $crate::__law_tests!(@end [$($rest)*] $keys $law); };
    (@end [] $keys:tt $law:ident) => { $crate::__law_tests!(@messages $keys end $law); };
    (@alone [(dependent true) $($rest:tt)*] $keys:tt $law:ident) => {
        $crate::__law_tests!(@ignored alone $law "the messages depend on each other");
    };
    (@alone [(one_message true) $($rest:tt)*] $keys:tt $law:ident) => {
        $crate::__law_tests!(@ignored alone $law "a stream has only one message");
    };
    (@alone [(carries $state:literal) $($rest:tt)*] $keys:tt $law:ident) => {
        $crate::__law_tests!(@ignored alone $law $state);
    };
    (@alone [$other:tt $($rest:tt)*] $keys:tt $law:ident) => { $crate::__law_tests!(@alone [$($rest)*] $keys $law); };
    (@alone [] $keys:tt $law:ident) => { $crate::__law_tests!(@messages $keys alone $law); };
    (@linear [(rescans true) $($rest:tt)*] $keys:tt $law:ident) => {
        $crate::__law_tests!(@ignored linear $law "it starts each message again for every chunk");
    };
    (@linear [(rescans false) $($rest:tt)*] $keys:tt $law:ident) => { $crate::__law_tests!(@messages $keys linear $law); };
    (@linear [$other:tt $($rest:tt)*] $keys:tt $law:ident) => { $crate::__law_tests!(@linear [$($rest)*] $keys $law); };
    (@linear [] $keys:tt $law:ident) => { $crate::__law_tests!(@messages $keys linear $law); };
    (@fused [(fuses true) $($rest:tt)*] $keys:tt $law:ident) => { $crate::__law_tests!(@tried fused $law); };
    (@fused [(fuses false) $($rest:tt)*] $keys:tt $law:ident) => { $crate::__law_tests!(@fused [] $keys $law); };
    (@fused [$other:tt $($rest:tt)*] $keys:tt $law:ident) => { $crate::__law_tests!(@fused [$($rest)*] $keys $law); };
    (@fused [] $keys:tt $law:ident) => {
        $crate::__law_tests!(@ignored fused $law "it does not promise to emit only its error after one");
    };
    (@awake [(waits true) $($rest:tt)*] $keys:tt $law:ident) => { $crate::__law_tests!(@tried awake $law); };
    (@awake [(waits false) $($rest:tt)*] $keys:tt $law:ident) => { $crate::__law_tests!(@awake [] $keys $law); };
    (@awake [$other:tt $($rest:tt)*] $keys:tt $law:ident) => { $crate::__law_tests!(@awake [$($rest)*] $keys $law); };
    (@awake [] $keys:tt $law:ident) => { $crate::__law_tests!(@ignored awake $law "it does not wait for its input"); };
    (@bounded [(bound) $($rest:tt)*] $keys:tt $law:ident) => { $crate::__law_tests!(@tried bounded $law); };
    (@bounded [$other:tt $($rest:tt)*] $keys:tt $law:ident) => { $crate::__law_tests!(@bounded [$($rest)*] $keys $law); };
    (@bounded [] $keys:tt $law:ident) => { $crate::__law_tests!(@ignored bounded $law "no limit is set"); };
    (@round_trip [(encode) $($rest:tt)*] $keys:tt $law:ident) => { $crate::__law_tests!(@tried round_trip $law); };
    (@round_trip [$other:tt $($rest:tt)*] $keys:tt $law:ident) => { $crate::__law_tests!(@round_trip [$($rest)*] $keys $law); };
    (@round_trip [] $keys:tt $law:ident) => { $crate::__law_tests!(@ignored round_trip $law "no encoder is given"); };
    (@interleaved [(converses true) $($rest:tt)*] $keys:tt $law:ident) => { $crate::__law_tests!(@messages $keys interleaved $law); };
    (@interleaved [(converses false) $($rest:tt)*] $keys:tt $law:ident) => { $crate::__law_tests!(@interleaved [] $keys $law); };
    (@interleaved [$other:tt $($rest:tt)*] $keys:tt $law:ident) => { $crate::__law_tests!(@interleaved [$($rest)*] $keys $law); };
    (@interleaved [] $keys:tt $law:ident) => { $crate::__law_tests!(@ignored interleaved $law "it reads one stream"); };
    (@messages [(messages) $($rest:tt)*] $test:ident $law:ident) => { $crate::__law_tests!(@tried $test $law); };
    (@messages [$other:tt $($rest:tt)*] $test:ident $law:ident) => { $crate::__law_tests!(@messages [$($rest)*] $test $law); };
    (@messages [] $test:ident $law:ident) => { $crate::__law_tests!(@ignored $test $law "no messages are given"); };

    // The test itself.
    (@tried $test:ident $law:ident) => {
        #[test]
        fn $test() {
            $crate::__law_tests!(@body $test $law)
        }
    };
    (@ignored $test:ident $law:ident $reason:literal) => {
        #[test]
        #[ignore = $reason]
        fn $test() {
            $crate::__law_tests!(@body $test $law)
        }
    };
    (@body $test:ident $law:ident) => {{
        let path = concat!(module_path!(), "::", stringify!($test));
        laws().in_test(path.split_once("::").map_or(path, |(_, name)| name)).assert($crate::Law::$law);
    }};
}
