//! norm

super::pending::pending! { LayerNorm RmsNorm BatchNorm GroupNorm }
