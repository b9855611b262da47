/**
 * Loaded models, shared by all names that mean the same folder. An engine lives while somebody holds it – a name that
 * is served, a request under way – and is disposed when the last lets go.
 */
import type { ModelRuntime } from './runtime-types.ts'

/** What to load. `key` is the same for the same files. */
export interface EngineSource {
  readonly key: string
  readonly dir: string
  /** What the engine calls itself. */
  readonly id: string
}

export type StartEngine = (source: EngineSource) => Promise<ModelRuntime>

/** Ends one hold; calls after the first do nothing. */
export type Release = () => void

export class PooledEngine {
  readonly runtime: ModelRuntime
  readonly #onIdle: () => void
  #holds = 0
  #idle = false

  constructor(runtime: ModelRuntime, onIdle: () => void) {
    this.runtime = runtime
    this.#onIdle = onIdle
  }

  /** Null once the last hold has ended. */
  hold(): Release | null {
    if (this.#idle) return null
    this.#holds += 1
    let held = true
    return () => {
      if (!held) return
      held = false
      this.#holds -= 1
      if (this.#holds > 0) return
      this.#idle = true
      this.#onIdle()
    }
  }
}

export class EnginePool {
  readonly #start: StartEngine
  readonly #engines = new Map<string, Promise<PooledEngine>>()
  readonly #ending = new Set<Promise<void>>()
  #closed = false

  constructor(start: StartEngine) {
    this.#start = start
  }

  /** Loads the model unless it is there. Fails with what the loading failed with; the next call tries again. */
  async acquire(source: EngineSource): Promise<{ engine: PooledEngine; release: Release }> {
    for (;;) {
      const engine = await (this.#engines.get(source.key) ?? this.#load(source))
      const release = engine.hold()
      if (release) return { engine, release }
    }
  }

  /** Disposes all engines, those that are still loading too; open requests fail. */
  async close(): Promise<void> {
    this.#closed = true
    const engines = await Promise.allSettled(this.#engines.values())
    const loaded = engines.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : [])) // prettier-ignore
    await Promise.all([...loaded.map(({ runtime }) => runtime.dispose()), ...this.#ending])
  }

  #load({ key, ...source }: EngineSource): Promise<PooledEngine> {
    const forget = (): void => void (this.#engines.get(key) === loading && this.#engines.delete(key)) // prettier-ignore
    const loading = this.#start({ key, ...source }).then((runtime) => {
      const engine: PooledEngine = new PooledEngine(runtime, () => {
        forget()
        if (!this.#closed) this.#end(runtime)
      })
      return engine
    })
    this.#engines.set(key, loading)
    loading.catch(forget)
    return loading
  }

  #end(runtime: ModelRuntime): void {
    const ended = runtime.dispose().finally(() => this.#ending.delete(ended))
    this.#ending.add(ended)
  }
}
