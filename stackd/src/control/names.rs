//! Interfaces by the names that people know: the device's, or `if0`.

use layer::InterfaceId;
use serde_json::Value;

use crate::Stack;

/// The interface called so.
pub(super) fn find(stack: &Stack, name: &str) -> Result<InterfaceId, String> {
    let devices = (0..).map(InterfaceId).zip(stack.interfaces());
    let mut named = devices.filter(|(id, device)| device.name == name || id.to_string() == name);
    let known = || stack.interfaces().iter().map(|device| device.name.as_str());
    named.next().map(|(id, _)| id).ok_or_else(|| {
        format!("there is no interface {name}, only {}", known().collect::<Vec<_>>().join(", "))
    })
}

/// The name of an interface.
pub(super) fn of(stack: &Stack, interface: InterfaceId) -> String {
    let device = stack.interfaces().get(interface.index());
    device.map_or_else(|| interface.to_string(), |device| device.name.clone())
}

/// Gives every row, which says `interface: if0`, the name of the device as `dev`.
pub(super) fn put(stack: &Stack, rows: &mut [Value]) {
    for row in rows {
        let id = row["interface"].as_str().unwrap_or_default();
        if let Ok(id) = find(stack, id) {
            row["dev"] = of(stack, id).into();
        }
    }
}
