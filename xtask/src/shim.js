// The worker's entry: hands each event to the WebAssembly instance, and after a trap starts that
// instance anew, so that one bad request does not take the following ones with it.
import { WorkerEntrypoint } from "cloudflare:workers";
import * as worker from "./edge.js";

const state = worker.__worker_init_state();

function revive() {
  if (state.criticalError) {
    worker.__wbg_reset_state();
    state.criticalError = false;
    state.instanceId += 1;
  }
}

function note(error) {
  if (error instanceof WebAssembly.RuntimeError) state.criticalError = true;
}

addEventListener("error", (event) => note(event.error));

async function guarded(work) {
  revive();
  try {
    return await work();
  } catch (error) {
    note(error);
    throw error;
  }
}

export default class extends WorkerEntrypoint {
  fetch(request) {
    return guarded(() => worker.fetch.call(this, request, this.env, this.ctx));
  }
}

// A Durable Object's instance dies with the WebAssembly instance that made it; it is built again from its storage.
function durable(Class) {
  return class {
    #storage;
    #env;
    #object;
    #instance;

    constructor(storage, env) {
      this.#storage = storage;
      this.#env = env;
      revive();
      try {
        this.#build();
      } catch (error) {
        note(error);
        throw error;
      }
    }

    #build() {
      this.#object = new Class(this.#storage, this.#env);
      this.#instance = state.instanceId;
    }

    #call(method, parameters) {
      return guarded(() => {
        if (this.#instance !== state.instanceId) this.#build();
        return this.#object[method](...parameters);
      });
    }

    fetch(...parameters) { return this.#call("fetch", parameters); }
    alarm(...parameters) { return this.#call("alarm", parameters); }
    webSocketMessage(...parameters) { return this.#call("webSocketMessage", parameters); }
    webSocketClose(...parameters) { return this.#call("webSocketClose", parameters); }
    webSocketError(...parameters) { return this.#call("webSocketError", parameters); }
  };
}

