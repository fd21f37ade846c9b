//! Small views that show the model and pass presses on.

pub(crate) mod badge;
pub(crate) mod call_card;
pub(crate) mod callbacks;
pub(crate) mod device_check;
pub(crate) mod icon;
pub(crate) mod incoming_card;
pub(crate) mod keypad;
pub(crate) mod link;
pub(crate) mod link_bar;
pub(crate) mod live_regions;
pub(crate) mod navigation;
pub(crate) mod notices;
pub(crate) mod outcome;
pub(crate) mod page_title;
pub(crate) mod reach;
pub(crate) mod switch;
pub(crate) mod switch_menu;
pub(crate) mod test_call;
pub(crate) mod top_bar;
pub(crate) mod why_region;
pub(crate) mod wrap_up;
