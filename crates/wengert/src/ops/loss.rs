//! loss

super::pending::pending! { CrossEntropy NllLoss MseLoss L1Loss HuberLoss SmoothL1Loss BceLoss BceWithLogits KlDiv }
