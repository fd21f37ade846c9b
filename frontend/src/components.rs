//! Small views that show the model and pass presses on.

pub(crate) mod badge;
pub(crate) mod call_card;
pub(crate) mod call_out;
pub(crate) mod callbacks;
pub(crate) mod device_check;
pub(crate) mod floor;
pub(crate) mod icon;
pub(crate) mod incoming_card;
pub(crate) mod keypad;
pub(crate) mod link;
pub(crate) mod link_bar;
pub(crate) mod live_regions;
pub(crate) mod navigation;
pub(crate) mod notes;
pub(crate) mod notices;
pub(crate) mod outcome;
pub(crate) mod own_devices;
pub(crate) mod page_title;
pub(crate) mod reach;
pub(crate) mod switch;
pub(crate) mod switch_menu;
pub(crate) mod test_call;
pub(crate) mod top_bar;
pub(crate) mod transfer;
pub(crate) mod why_region;
pub(crate) mod wrap_up;
