/** A model as one of the names that it is served under: the engine's, with the name and version that requests see. */
import { fail } from '../errors.ts'
import type { PooledEngine, Release } from './engine-pool.ts'
import type {
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

export type ServedIdentity = Pick<ModelInfo, 'id' | 'version' | 'aliases'>

export class ServedView implements ModelRuntime {
  readonly info: ModelInfo
  readonly #engine: PooledEngine

  constructor(engine: PooledEngine, identity: ServedIdentity) {
    this.#engine = engine
    this.info = { ...engine.runtime.info, ...identity }
  }

  get ready(): boolean {
    return this.#engine.runtime.ready
  }

  hold(): Release {
    const detail = `"${this.info.id}" was replaced before the request began; ask again`
    return this.#engine.hold() ?? fail('ENGINE_STARTING', detail)
  }

  async *generate(request: TextRequest, signal?: AbortSignal): AsyncGenerator<TextEvent> {
    const release = this.hold()
    try {
      yield* this.#engine.runtime.generate(request, signal)
    } finally {
      release()
    }
  }

  async predict(...args: Parameters<ModelRuntime['predict']>): Promise<Record<string, number>[]> {
    const release = this.hold()
    try {
      return await this.#engine.runtime.predict(...args)
    } finally {
      release()
    }
  }

  async likelihoods(...args: Parameters<ModelRuntime['likelihoods']>): Promise<Likelihoods> {
    const release = this.hold()
    try {
      return await this.#engine.runtime.likelihoods(...args)
    } finally {
      release()
    }
  }

  async embed(...args: Parameters<ModelRuntime['embed']>): Promise<Embeddings> {
    const release = this.hold()
    try {
      return await this.#engine.runtime.embed(...args)
    } finally {
      release()
    }
  }

  async countTokens(prompt: Prompt): Promise<number> {
    const release = this.hold()
    try {
      return await this.#engine.runtime.countTokens(prompt)
    } finally {
      release()
    }
  }

  async encode(prompt: Prompt, options?: EncodeOptions): Promise<EncodedPrompt> {
    const release = this.hold()
    try {
      return await this.#engine.runtime.encode(prompt, options)
    } finally {
      release()
    }
  }

  async decode(tokens: readonly number[]): Promise<DecodedTokens> {
    const release = this.hold()
    try {
      return await this.#engine.runtime.decode(tokens)
    } finally {
      release()
    }
  }

  /** The engine is the pool's to dispose. */
  async dispose(): Promise<void> {}
}
