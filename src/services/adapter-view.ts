/** An adapter as a model of its own: its base, with the adapter in every request. */
import { fail } from '../errors.ts'
import { parseModelReference } from '../registry/model-name.ts'
import type {
  AdapterRef,
  DecodedTokens,
  Embeddings,
  EncodeOptions,
  EncodedPrompt,
  Likelihoods,
  ModelInfo,
  ModelRuntime,
  Prompt,
  TextEvent,
  TextRequest,
} from './runtime-types.ts'
import type { Release } from './engine-pool.ts'

export interface ServedAdapter extends AdapterRef {
  readonly name: string
  readonly base: string
  /** Seconds since 1970. */
  readonly created: number
}

/** Those whose base is served as a language model, under names that are free. */
export function adapterViews(
  adapters: readonly ServedAdapter[],
  served: readonly ModelRuntime[],
): ModelRuntime[] {
  const taken = new Set(served.map(({ info }) => info.id))
  return adapters.flatMap((adapter) => {
    const base = baseOf(adapter, served)
    if (!base || taken.has(adapter.name)) return []
    taken.add(adapter.name)
    return [new AdapterView(base, adapter)]
  })
}

/** By its name, or, of an adapter for one version, while that version is served. */
export function baseOf(
  { base }: ServedAdapter,
  served: readonly ModelRuntime[],
): ModelRuntime | undefined {
  const reference = parseModelReference(base)
  return served.find(({ info }) => {
    if (info.kind !== 'language-model') return false
    if (info.id === base) return true
    return info.id === reference?.model && info.version === reference.version
  })
}

export class AdapterView implements ModelRuntime {
  readonly info: ModelInfo
  readonly #base: ModelRuntime
  readonly #adapter: AdapterRef

  constructor(base: ModelRuntime, { name, created, key, dir }: ServedAdapter) {
    this.#base = base
    this.#adapter = { key, dir }
    const { version: _version, aliases: _aliases, ...info } = base.info
    this.info = { ...info, id: name, created, parent: base.info.id }
  }

  get ready(): boolean {
    return this.#base.ready
  }

  hold(): Release {
    return this.#base.hold?.() ?? (() => {})
  }

  generate(request: TextRequest, signal?: AbortSignal): AsyncIterable<TextEvent> {
    return this.#base.generate({ ...request, adapter: this.#adapter }, signal)
  }

  predict(...args: Parameters<ModelRuntime['predict']>): Promise<Record<string, number>[]> {
    return this.#base.predict(...args)
  }

  likelihoods(...args: Parameters<ModelRuntime['likelihoods']>): Promise<Likelihoods> {
    const [prompt, texts, options, signal] = args
    return this.#base.likelihoods(prompt, texts, { ...options, adapter: this.#adapter }, signal)
  }

  /** The graph of embeddings takes no adapters. */
  async embed(): Promise<Embeddings> {
    const detail = `"${this.info.id}" is an adapter; embed with "${this.#base.info.id}"`
    return fail('BAD_REQUEST', detail, { param: 'model' })
  }

  countTokens(prompt: Prompt): Promise<number> {
    return this.#base.countTokens(prompt)
  }

  encode(prompt: Prompt, options?: EncodeOptions): Promise<EncodedPrompt> {
    return this.#base.encode(prompt, options)
  }

  decode(tokens: readonly number[]): Promise<DecodedTokens> {
    return this.#base.decode(tokens)
  }

  /** The base is not its own. */
  async dispose(): Promise<void> {}
}
