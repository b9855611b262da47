/**
 * Keeps what is served in step with what is wanted, while requests go on: a new version is loaded first, then requests
 * go to it, and the old one is put away when its last request has ended. Notices changes by other processes.
 */
import { SteerError, fail } from '../errors.ts'
import { listAdapters } from '../registry/adapters.ts'
import { locateModel } from '../registry/locate-model.ts'
import type { ModelPlaces } from '../registry/model-folder.ts'
import { registryRevision } from '../registry/registry-store.ts'
import { countPinChanges } from '../registry/served-pins.ts'
import { adapterViews, baseOf, type ServedAdapter } from './adapter-view.ts'
import { EnginePool, type PooledEngine, type Release, type StartEngine } from './engine-pool.ts'
import type { ModelRuntime } from './runtime-types.ts'
import { ServedView } from './served-view.ts'
import {
  requireSome,
  wantedModels,
  type Candidate,
  type ServedBecause,
  type WantedModel,
} from './wanted-models.ts'

export interface ServingOptions {
  readonly places: ModelPlaces
  /** Names or paths that must be served; none: the bundled models. */
  readonly configured: readonly string[]
  /** Adapters that must be served, beside those in the data folder. */
  readonly adapters?: readonly ServedAdapter[]
  readonly start: StartEngine
  /** How often the data folder is looked at for changes of other processes. */
  readonly pollMs?: number
  readonly log?: (event: { event: string; model: string; detail?: string }) => void
}

/** How a name that is to be served stands. */
export interface ServedState {
  readonly name: string
  readonly because: ServedBecause
  /** The version that answers, of a published model. */
  readonly version: number | null
  /** The version that should answer. */
  readonly wantedVersion: number | null
  /** `failed`: what should be served cannot be loaded; what was served before answers, if there was anything. */
  readonly state: 'ready' | 'loading' | 'restarting' | 'failed'
  readonly error: SteerError | null
}

interface Slot {
  want: WantedModel | null
  current: { candidate: Candidate; engine: PooledEngine; release: Release; view: ServedView } | null
  /** What could not be loaded, by key; tried again after the model's next change. */
  readonly failures: Map<string, SteerError>
  /** Ends when the slot is in step with what was last read. */
  work: Promise<void>
}

/**
 * Loads everything. Fails MODEL_NOT_FOUND, or with what a configured model could not be loaded with; a published one
 * that cannot be loaded is logged.
 */
export async function createServing(options: ServingOptions): Promise<Serving> {
  const serving = new Serving(options)
  try {
    await serving.start()
    return serving
  } catch (error) {
    await serving.close()
    throw error
  }
}

export class Serving {
  readonly #options: Required<ServingOptions>
  readonly #pool: EnginePool
  readonly #slots = new Map<string, Slot>()
  #views: readonly ModelRuntime[] = []
  #adapters: readonly ServedAdapter[] = []
  #revision = ''
  #reading: Promise<unknown> = Promise.resolve()
  #timer: NodeJS.Timeout | undefined
  #closed = false

  constructor(options: ServingOptions) {
    this.#options = { adapters: [], pollMs: 1000, log: () => {}, ...options }
    this.#pool = new EnginePool(options.start)
  }

  async start(): Promise<void> {
    const { places, configured } = this.#options
    for (const name of configured) await locateModel(name, places)
    await this.refresh()
    requireSome(this.#wanted(), places)
    for (const { want, current, failures } of this.#slots.values()) {
      if (want?.because !== 'configured' || current) continue
      throw failures.get(want.candidates[0]!.key) ?? fail('MODEL_NOT_FOUND', want.name)
    }
    for (const adapter of this.#options.adapters) {
      if (baseOf(adapter, this.#views)) continue
      fail('MODEL_NOT_FOUND', `the adapter "${adapter.name}" is for "${adapter.base}", which is not served`) // prettier-ignore
    }
    this.#watch()
  }

  /** What is served now; the list is replaced at every change, never altered. */
  list = (): readonly ModelRuntime[] => this.#views

  /** Every name that is to be served. */
  states(): ServedState[] {
    return [...this.#slots].flatMap(([name, slot]) => (slot.want ? [describe(name, slot)] : []))
  }

  /** The folders of the loaded models, with the name that each is served under. */
  loadedFolders(): Map<string, string> {
    const folders = [...this.#slots].flatMap(([name, { current }]) =>
      current ? [[current.candidate.dir, name] as const] : [],
    )
    return new Map(folders)
  }

  /** Reads what is wanted; resolves when all of it is served or has failed to load. */
  async refresh(): Promise<void> {
    const read = this.#reading.then(() => this.#readWanted())
    this.#reading = read.catch(() => {})
    await read
    await Promise.all([...this.#slots.values()].map((slot) => slot.work))
  }

  /** The same, trying again to load what `name` means. */
  async retry(name: string): Promise<void> {
    this.#slots.get(name)?.failures.clear()
    await this.refresh()
  }

  /** Ends all engines; open requests fail. */
  async close(): Promise<void> {
    this.#closed = true
    clearInterval(this.#timer)
    await this.#reading
    await this.#pool.close()
  }

  #wanted(): WantedModel[] {
    return [...this.#slots.values()].flatMap(({ want }) => (want ? [want] : []))
  }

  #watch(): void {
    let busy = false
    const look = async (): Promise<void> => {
      if (busy || this.#closed) return
      busy = true
      try {
        if ((await this.#readRevision()) !== this.#revision) await this.refresh()
      } catch (error) {
        this.#log('registry cannot be read', '', error)
      } finally {
        busy = false
      }
    }
    this.#timer = setInterval(() => void look(), this.#options.pollMs)
    this.#timer.unref()
  }

  async #readRevision(): Promise<string> {
    const { home } = this.#options.places
    const adapters = (await listAdapters(home)).map(({ key }) => key).join()
    return `${await registryRevision(home)};${await countPinChanges(home)};${adapters}`
  }

  async #readWanted(): Promise<void> {
    if (this.#closed) return
    const { places, configured } = this.#options
    // Before the rest is read: a change meanwhile is seen at the next look.
    this.#revision = await this.#readRevision()
    const onProblem = (model: string, error: SteerError): void =>
      this.#log('published model cannot be read', model, error)
    const wanted = await wantedModels({ places, configured, onProblem })
    this.#adapters = [...this.#options.adapters, ...(await listAdapters(places.home))]
    const before = new Map(this.#slots)
    this.#slots.clear()
    for (const want of wanted) {
      const slot = before.get(want.name) ?? newSlot()
      before.delete(want.name)
      if (slot.want?.revision !== want.revision) slot.failures.clear()
      slot.want = want
      this.#slots.set(want.name, slot)
    }
    for (const [name, slot] of before) {
      slot.want = null
      this.#slots.set(name, slot)
    }
    this.#updateViews()
    for (const [name, slot] of this.#slots) {
      slot.work = slot.work.then(() => this.#bringInStep(name, slot))
    }
  }

  /** Loads the best candidate that can be loaded; what is wanted may change meanwhile. */
  async #bringInStep(name: string, slot: Slot): Promise<void> {
    while (!this.#closed) {
      const best = slot.want?.candidates.find(({ key }) => !slot.failures.has(key))
      // Nothing that can be loaded is left: what serves goes on, unless the name is not wanted any more.
      if (!best || best.key === slot.current?.candidate.key) break
      await this.#load(name, slot, best)
    }
    if (!slot.want) this.#remove(name, slot)
    else if (slot.current) this.#show(name, slot, slot.current)
  }

  async #load(name: string, slot: Slot, candidate: Candidate): Promise<void> {
    let loaded: { engine: PooledEngine; release: Release }
    try {
      loaded = await this.#pool.acquire(candidate)
    } catch (error) {
      slot.failures.set(candidate.key, toSteerError(error))
      return this.#log('model cannot be loaded', candidate.id, error)
    }
    const isWanted = slot.want?.candidates.some(({ key }) => key === candidate.key)
    if (!isWanted || this.#closed) return loaded.release()
    this.#log('model is served', name, candidate.id)
    this.#show(name, slot, { candidate, ...loaded })
  }

  /** From here on requests of this name go to the engine. */
  #show(name: string, slot: Slot, next: Omit<NonNullable<Slot['current']>, 'view'>): void {
    const { version } = next.candidate
    const identity = {
      id: name,
      version: version ?? undefined,
      aliases: version === null ? [] : slot.want?.aliases.get(version),
    }
    const old = slot.current
    slot.current = { ...next, view: new ServedView(next.engine, identity) }
    this.#updateViews()
    if (old && old.release !== next.release) old.release()
  }

  #remove(name: string, slot: Slot): void {
    if (this.#slots.get(name) === slot) this.#slots.delete(name)
    this.#updateViews()
    slot.current?.release()
    slot.current = null
  }

  #updateViews(): void {
    const models = [...this.#slots.values()].flatMap(({ current }) => (current ? [current.view] : [])) // prettier-ignore
    this.#views = [...models, ...adapterViews(this.#adapters, models)]
  }

  #log(event: string, model: string, detail: unknown): void {
    const text = detail instanceof Error ? detail.message : String(detail)
    this.#options.log({ event, model, detail: text })
  }
}

const newSlot = (): Slot => ({
  want: null,
  current: null,
  failures: new Map(),
  work: Promise.resolve(),
})

function describe(name: string, { want, current, failures }: Slot): ServedState {
  const best = want!.candidates[0]!
  const error = failures.get(best.key) ?? null
  const isCurrent = current?.candidate.key === best.key
  const running = current?.view.ready ? 'ready' : 'restarting'
  return {
    name,
    because: want!.because,
    version: current?.candidate.version ?? null,
    wantedVersion: best.version,
    state: error ? 'failed' : isCurrent ? running : 'loading',
    error,
  }
}

function toSteerError(error: unknown): SteerError {
  if (error instanceof SteerError) return error
  return new SteerError('INTERNAL', error instanceof Error ? error.message : String(error))
}
