//! Proxies and toxics as JSON.

use enjamb::Side;
use enjamb_faults::{Effect, EffectType, Fault, FaultError, Values, stream};
use enjamb_protocols::Registry;
use serde_json::{Map, Value, json};

use crate::api::error::ApiError;
use crate::configuration::Route;
use crate::routes::{RouteChange, RouteError, RouteView};

/// Returns a route as Toxiproxy shows a proxy.
pub(super) fn route_json(route: &RouteView) -> Value {
    json!({
        "name": route.name,
        "listen": route.listen,
        "upstream": route.upstream,
        "enabled": route.enabled,
        "protocol": route.protocol.name(),
        "toxics": route.faults.iter().map(fault_json).collect::<Vec<_>>(),
    })
}

/// Returns a fault as Toxiproxy shows a toxic.
pub(super) fn fault_json(fault: &Fault) -> Value {
    let attributes = fault.effect.values().into_iter().map(|(attribute, value)| {
        let value = match value {
            enjamb_faults::Value::Number(number) => Value::from(number),
            enjamb_faults::Value::Text(text) => Value::from(text),
        };
        (attribute.name.to_owned(), value)
    });
    json!({
        "name": fault.name,
        "type": fault.effect.effect_type().name,
        "stream": stream(fault.side),
        "toxicity": fault.probability,
        "attributes": attributes.collect::<Map<_, _>>(),
    })
}

/// The fields of an object. Those that are `null` are taken as absent.
struct Fields(Map<String, Value>);

impl Fields {
    fn of(value: Value, known: &[&str]) -> Result<Self, ApiError> {
        let Value::Object(mut fields) = value else {
            return Err(ApiError::bad("bad request body: an object is expected"));
        };
        fields.retain(|_, value| !value.is_null());
        if let Some(unknown) = fields.keys().find(|name| !known.contains(&name.as_str())) {
            return Err(ApiError::bad(format!("unknown field `{unknown}`; the fields are {}", known.join(", "))));
        }
        Ok(Self(fields))
    }

    fn text(&mut self, name: &str) -> Result<Option<String>, ApiError> {
        match self.0.remove(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(ApiError::bad(format!("`{name}` is a string"))),
        }
    }
}

/// A proxy in a request.
pub(super) struct ProxyBody {
    name: Option<String>,
    listen: Option<String>,
    upstream: Option<String>,
    protocol: Option<String>,
    enabled: Option<bool>,
    toxics: Vec<ToxicBody>,
}

impl ProxyBody {
    pub(super) fn parse(value: Value) -> Result<Self, ApiError> {
        let mut fields = Fields::of(value, &["name", "listen", "upstream", "enabled", "protocol", "toxics", "Logger"])?;
        let enabled = match fields.0.remove("enabled") {
            None => None,
            Some(Value::Bool(enabled)) => Some(enabled),
            Some(_) => return Err(ApiError::bad("`enabled` is true or false")),
        };
        let toxics = match fields.0.remove("toxics") {
            None => Vec::new(),
            Some(Value::Array(toxics)) => toxics.into_iter().map(ToxicBody::parse).collect::<Result<_, _>>()?,
            Some(_) => return Err(ApiError::bad("`toxics` is a list")),
        };
        Ok(Self {
            name: fields.text("name")?,
            listen: fields.text("listen")?,
            upstream: fields.text("upstream")?,
            protocol: fields.text("protocol")?,
            enabled,
            toxics,
        })
    }

    /// Returns the route. `place` is appended to errors.
    pub(super) fn into_route(self, registry: &Registry, place: &str) -> Result<Route, ApiError> {
        let required = |value: Option<String>, name: &str| {
            let missing = || ApiError::bad(format!("missing required field: {name}{place}"));
            value.filter(|value| !value.is_empty()).ok_or_else(missing)
        };
        let (name, upstream) = (required(self.name, "name")?, required(self.upstream, "upstream")?);
        let protocol = self.protocol.unwrap_or_else(|| "auto".to_owned());
        let protocol =
            registry.resolve(&protocol).map_err(|error| ApiError::bad(format!("protocol: {error}{place}")))?;
        // Without an address the system chooses a port, as with Toxiproxy.
        let listen = self.listen.filter(|listen| !listen.is_empty()).unwrap_or_else(|| "127.0.0.1:0".to_owned());
        // Toxiproxy's clients leave the host out for every address of the machine.
        let listen = if listen.starts_with(':') { format!("0.0.0.0{listen}") } else { listen };
        let mut route = Route::new(name, [listen], upstream, protocol);
        route.enabled = self.enabled.unwrap_or(true);
        route.faults = self.toxics.into_iter().map(ToxicBody::into_fault).collect::<Result<_, _>>()?;
        Ok(route)
    }

    pub(super) fn into_change(self) -> Result<RouteChange, ApiError> {
        if !self.toxics.is_empty() {
            return Err(ApiError::bad("toxics are changed under /proxies/{name}/toxics"));
        }
        let given = |value: Option<String>| value.filter(|value| !value.is_empty());
        Ok(RouteChange { listen: given(self.listen), upstream: given(self.upstream), enabled: self.enabled })
    }
}

/// A toxic in a request.
pub(super) struct ToxicBody {
    name: Option<String>,
    kind: Option<String>,
    side: Option<Side>,
    toxicity: Option<f64>,
    attributes: Map<String, Value>,
}

impl ToxicBody {
    pub(super) fn parse(value: Value) -> Result<Self, ApiError> {
        let mut fields = Fields::of(value, &["name", "type", "stream", "toxicity", "attributes"])?;
        let stream = fields.text("stream")?.filter(|stream| !stream.is_empty());
        let side = match stream.as_deref().map(str::to_ascii_lowercase).as_deref() {
            None => None,
            Some("upstream") => Some(Side::Client),
            Some("downstream") => Some(Side::Server),
            Some(_) => {
                return Err(ApiError::bad("stream was invalid, can be either upstream or downstream"));
            }
        };
        let toxicity = match fields.0.remove("toxicity") {
            None => None,
            Some(value) => Some(value.as_f64().ok_or_else(|| ApiError::bad("`toxicity` is a number"))?),
        };
        let attributes = match fields.0.remove("attributes") {
            None => Map::new(),
            Some(Value::Object(attributes)) => attributes,
            Some(_) => return Err(ApiError::bad("`attributes` is an object")),
        };
        Ok(Self { name: fields.text("name")?, kind: fields.text("type")?, side, toxicity, attributes })
    }

    /// Returns a new fault.
    pub(super) fn into_fault(self) -> Result<Fault, ApiError> {
        let kind = self.kind.unwrap_or_default();
        let effect_type = EffectType::named(&kind)
            .ok_or_else(|| ApiError::bad(format!("invalid toxic type: {}", FaultError::NoType(kind))))?;
        let effect = make_effect(effect_type, Values::default(), self.attributes)?;
        let mut fault = Fault::new(self.side.unwrap_or(Side::Server), effect);
        if let Some(name) = self.name.filter(|name| !name.is_empty()) {
            fault.name = name;
        }
        fault.probability = self.toxicity.unwrap_or(1.0);
        fault.check().map_err(RouteError::from)?;
        Ok(fault)
    }

    /// Returns a fault with the given attributes changed. Its name, type and stream stay.
    pub(super) fn into_changed(self, old: Fault) -> Result<Fault, ApiError> {
        let effect_type = old.effect.effect_type();
        let mut values = Values::default();
        for (attribute, value) in old.effect.values() {
            values.set(effect_type, attribute.name, value).map_err(RouteError::from)?;
        }
        let effect = make_effect(effect_type, values, self.attributes)?;
        let mut fault = Fault::new(old.side, effect);
        fault.name = old.name;
        fault.probability = self.toxicity.unwrap_or(old.probability);
        fault.check().map_err(RouteError::from)?;
        Ok(fault)
    }
}

fn make_effect(
    effect_type: &EffectType,
    mut values: Values,
    attributes: Map<String, Value>,
) -> Result<Effect, ApiError> {
    for (name, value) in attributes {
        let value = match value {
            Value::Null => continue,
            Value::String(text) => enjamb_faults::Value::Text(text),
            Value::Number(number) => {
                let whole = number.as_u64().or_else(|| {
                    let float = number.as_f64()?;
                    (float >= 0.0 && float.fract() == 0.0 && float < 1e18).then_some(float as u64)
                });
                let wrong = || ApiError::bad(format!("attribute `{name}` is a whole number that is not negative"));
                enjamb_faults::Value::Number(whole.ok_or_else(wrong)?)
            }
            _ => return Err(ApiError::bad(format!("attribute `{name}` is a number or a string"))),
        };
        values.set(effect_type, &name, value).map_err(RouteError::from)?;
    }
    Ok(Effect::new(effect_type, &values).map_err(RouteError::from)?)
}
