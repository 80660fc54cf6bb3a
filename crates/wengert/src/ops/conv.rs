//! conv

super::pending::pending! { Conv ConvTranspose MaxPool AvgPool }
