/**
 * The adapters that an engine has loaded: read when first asked for, kept while somebody uses them and, up to a number,
 * after that; the one unused longest goes first.
 */
import type { Engine } from '../engine/index.ts'
import type { AdapterRef } from './runtime-types.ts'

/** Adapters of a small rank take a few megabytes each; every row of a stack costs memory, used or not. */
const defaultLimit = 16

interface Entry {
  readonly ref: AdapterRef
  readonly id: Promise<number>
  users: number
}

export class AdapterCache {
  readonly #engine: Pick<Engine, 'loadAdapter' | 'unloadAdapter'>
  readonly #limit: number
  /** The one unused longest first. */
  readonly #entries = new Map<string, Entry>()

  constructor(engine: Pick<Engine, 'loadAdapter' | 'unloadAdapter'>, limit = defaultLimit) {
    this.#engine = engine
    this.#limit = limit
  }

  /** The number for `EngineRequest.adapter`, good until `release` is called. Fails BAD_CHECKPOINT. */
  async acquire(ref: AdapterRef): Promise<{ id: number; release(): void }> {
    const entry = this.#entries.get(ref.key) ?? { ref, id: this.#engine.loadAdapter(ref.dir), users: 0 } // prettier-ignore
    this.#entries.delete(ref.key)
    this.#entries.set(ref.key, entry)
    entry.users += 1
    let held = true
    const release = (): void => {
      if (held) entry.users -= 1
      held = false
      void this.#trim()
    }
    try {
      const id = await entry.id
      void this.#trim()
      return { id, release }
    } catch (error) {
      if (this.#entries.get(ref.key) === entry) this.#entries.delete(ref.key)
      throw error
    }
  }

  /** Lets go of what nobody uses: replaced contents at once, others when there are too many. */
  async #trim(): Promise<void> {
    const newest = new Map([...this.#entries.values()].map(({ ref }) => [ref.dir, ref.key]))
    for (const [key, entry] of [...this.#entries]) {
      const isReplaced = newest.get(entry.ref.dir) !== key
      if (entry.users > 0 || (!isReplaced && this.#entries.size <= this.#limit)) continue
      this.#entries.delete(key)
      const id = await entry.id.catch(() => null)
      if (id !== null) this.#engine.unloadAdapter(id)
    }
  }
}
