//! Where the desk's program is cut: each function here begins a file of its own.
//!
//! `cargo xtask panel` cuts the release with `--cfg split`. Without it, as Trunk builds, the same parts stand in one file.

use cordboard_frontend::chunk::{Build, Chunk, Coming};
use cordboard_frontend::parts;
use leptos::wasm_split::SplitLoaderError;

/// Names the cut: a function that loads a part, then gives how it is shown. Parts with one file share its name.
macro_rules! cut {
    ($(#[$doc:meta])* $name:ident in $file:ident: $view:path) => {
        $(#[$doc])*
        #[cfg(split)]
        #[leptos::wasm_split::wasm_split($file, wasm_split_path = ::leptos::wasm_split, fallible)]
        fn $name() -> Result<Build, SplitLoaderError> {
            Ok($view as Build)
        }

        $(#[$doc])*
        #[cfg(not(split))]
        async fn $name() -> Result<Build, SplitLoaderError> {
            Ok($view as Build)
        }
    };
}

cut!(manage in manage: parts::manage);
cut!(calls in pages: parts::calls);
cut!(devices in pages: parts::devices);
cut!(help in pages: parts::help);
cut!(reach in menus: parts::reach);
cut!(switch_menu in menus: parts::switch_menu);
cut!(resume in menus: parts::resume);
cut!(call_out in calling: parts::call_out);
cut!(floor in calling: parts::floor);
cut!(transfer in calling: parts::transfer);
cut!(transfer_under_way in calling: parts::transfer_under_way);
cut!(notes in calling: parts::notes);
cut!(last_notes in calling: parts::last_notes);

/// A part of the desk, from its file.
pub(crate) fn source(chunk: Chunk) -> Coming {
    match chunk {
        Chunk::Manage => Box::pin(async { manage().await.ok() }),
        Chunk::Calls => Box::pin(async { calls().await.ok() }),
        Chunk::Devices => Box::pin(async { devices().await.ok() }),
        Chunk::Help => Box::pin(async { help().await.ok() }),
        Chunk::Reach => Box::pin(async { reach().await.ok() }),
        Chunk::SwitchMenu => Box::pin(async { switch_menu().await.ok() }),
        Chunk::Resume => Box::pin(async { resume().await.ok() }),
        Chunk::CallOut => Box::pin(async { call_out().await.ok() }),
        Chunk::Floor => Box::pin(async { floor().await.ok() }),
        Chunk::Transfer => Box::pin(async { transfer().await.ok() }),
        Chunk::TransferUnderWay => Box::pin(async { transfer_under_way().await.ok() }),
        Chunk::Notes => Box::pin(async { notes().await.ok() }),
        Chunk::LastNotes => Box::pin(async { last_notes().await.ok() }),
    }
}
