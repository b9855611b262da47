/**
 * The decode graph on ONNX Runtime, over key/value memory owned here: one buffer per layer and
 * kind, [slots, Nkv, C, D] f32. A run over slots first … first + B − 1 binds that part of each
 * buffer as past and as present, so the cache is written in place and never copied.
 *
 * A `Binding` per shape is kept and reused; all share the small input arrays and the logits array,
 * which is right because runs follow one another.
 */

import { stackNames, type ModelConfig } from '../arch/index.ts'
import { AdapterStacks } from './adapter-stacks.ts'
import { planKvMemory, type KvBudget, type KvRequest } from './kv-budget.ts'
import { buildDecodeModel } from './serving-models.ts'
import { fail } from '../errors.ts'
import type { Binding } from '../ort/index.ts'
import { createTensor, Session } from '../ort/index.ts'
import { runSettings } from './run-settings.ts'
import type { DecodeInput, ModelStep, PrefillInput } from './model-step.ts'

export interface OrtModelStepOptions extends KvRequest {
  modelDir: string
  threads?: number
}

/** Bindings kept; each costs a few kilobytes. */
const BINDING_LIMIT = 64

/** What distinguishes one binding from another. */
interface Shape {
  /** First slot, and rows B. */
  first: number
  rows: number
  /** Tokens per row S, and positions P whose logits come out. */
  tokens: number
  logits: number
  /** Whether a row has an adapter: another graph then. */
  adapted: boolean
}

/** Keys and values of one layer, each [slots, Nkv, C, D]. */
interface LayerCache {
  key: Float32Array
  value: Float32Array
}

type CacheSize = Pick<KvBudget, 'slots' | 'contextLength'>

/** Keys and values of one token, all layers. */
export const cacheFloatsPerToken = (config: ModelConfig): number =>
  2 * config.layers * config.kvHeads * config.headDim

/** The system hands out the pages only when they are written to. */
function allocateCache(config: ModelConfig, size: CacheSize): LayerCache[] {
  const length = size.slots * config.kvHeads * size.contextLength * config.headDim
  try {
    return Array.from({ length: config.layers }, () => ({
      key: new Float32Array(length),
      value: new Float32Array(length),
    }))
  } catch (cause) {
    const bytes = 8 * length * config.layers
    const asked = `${size.slots} slots of ${size.contextLength} tokens`
    return fail('BAD_ARGUMENT', `${asked} need ${bytes} bytes of cache, too much here`, { cause })
  }
}

export class OrtModelStep implements ModelStep {
  readonly config: ModelConfig
  readonly budget: KvBudget
  readonly slots: number
  readonly contextLength: number
  readonly vocabSize: number
  readonly floatsPerToken: number
  readonly #session: Session
  readonly #layers: LayerCache[]
  /** Elements of one slot in a layer's key or value buffer. */
  readonly #slotSize: number
  readonly #bindings = new Map<string, Binding>()
  readonly #adapters: AdapterStacks
  /** Of the graph with adapters; loaded with the first. */
  #adapted: Promise<Session> | undefined
  #adaptedSession: Session | undefined
  readonly #openAdapted: () => Promise<Session>
  readonly #adapterIndex: BigInt64Array
  #ids: BigInt64Array
  #logitPositions: BigInt64Array
  #logits: Float32Array
  readonly #seqlens: Int32Array
  readonly #total = new Int32Array(1)

  private constructor(
    session: Session,
    config: ModelConfig,
    size: { budget: KvBudget; layers: LayerCache[] },
    openAdapted: () => Promise<Session>,
  ) {
    this.#session = session
    this.#openAdapted = openAdapted
    this.#adapters = new AdapterStacks(config)
    this.#adapterIndex = new BigInt64Array(size.budget.slots)
    this.config = config
    this.budget = size.budget
    const { slots, contextLength } = size.budget
    this.slots = slots
    this.contextLength = contextLength
    this.vocabSize = config.vocabSize
    this.floatsPerToken = cacheFloatsPerToken(config)
    this.#slotSize = config.kvHeads * contextLength * config.headDim
    this.#layers = size.layers
    this.#seqlens = new Int32Array(slots)
    this.#ids = new BigInt64Array(slots)
    this.#logitPositions = new BigInt64Array(1)
    this.#logits = new Float32Array(slots * config.vocabSize)
  }

  /** Loads the checkpoint. Fails with the catalogue's checkpoint and runtime errors. */
  static async create(options: OrtModelStepOptions): Promise<OrtModelStep> {
    const plan = (known: ModelConfig): KvBudget =>
      planKvMemory(known, 4 * cacheFloatsPerToken(known), options)
    const contextOf = (known: ModelConfig): number => plan(known).contextLength
    const run = runSettings(options.threads)
    const open = async (adapters: boolean) => {
      const built = await buildDecodeModel(options.modelDir, contextOf, { adapters })
      const { model, weightsDirectory, config } = built
      return { config, start: () => Session.create({ model, weightsDirectory, ...run }) }
    }
    const { config, start } = await open(false)
    const budget = plan(config)
    const layers = allocateCache(config, budget)
    const openAdapted = async () => (await open(true)).start()
    return new OrtModelStep(await start(), config, { budget, layers }, openAdapted)
  }

  async prefill(input: PrefillInput): Promise<Float32Array> {
    const { slot, tokens, start, logitPositions } = input
    this.#reserve(tokens.length, logitPositions.length)
    for (let i = 0; i < tokens.length; i += 1) this.#ids[i] = BigInt(tokens[i]!)
    for (let i = 0; i < logitPositions.length; i += 1) {
      this.#logitPositions[i] = BigInt(logitPositions[i]!)
    }
    this.#seqlens[0] = start + tokens.length - 1
    this.#total[0] = start + tokens.length
    const logits = logitPositions.length
    const adapted = this.#chooseAdapters([input.adapter ?? 0])
    return this.#run({ first: slot, rows: 1, tokens: tokens.length, logits, adapted })
  }

  async decode(input: DecodeInput): Promise<Float32Array> {
    const { first, tokens, positions } = input
    let total = 0
    for (let row = 0; row < tokens.length; row += 1) {
      this.#ids[row] = BigInt(tokens[row]!)
      this.#seqlens[row] = positions[row]!
      total = Math.max(total, positions[row]! + 1)
    }
    this.#total[0] = total
    this.#logitPositions[0] = 0n
    const adapted = this.#chooseAdapters(input.adapters ?? [])
    return this.#run({ first, rows: tokens.length, tokens: 1, logits: 1, adapted })
  }

  copyPrefix(from: number, to: number, count: number): void {
    const { kvHeads, headDim } = this.config
    const headSize = this.contextLength * headDim
    for (const { key, value } of this.#layers) {
      for (let head = 0; head < kvHeads; head += 1) {
        const source = from * this.#slotSize + head * headSize
        const target = to * this.#slotSize + head * headSize
        key.copyWithin(target, source, source + count * headDim)
        value.copyWithin(target, source, source + count * headDim)
      }
    }
  }

  readCache(slot: number, start: number, into: Float32Array): void {
    this.#eachPiece(slot, start, into, (buffer, at, piece) => {
      piece.set(buffer.subarray(at, at + piece.length))
    })
  }

  writeCache(slot: number, start: number, from: Float32Array): void {
    this.#eachPiece(slot, start, from, (buffer, at, piece) => buffer.set(piece, at))
  }

  /** Between two runs or during one. Fails BAD_CHECKPOINT where the folder does not fit the model. */
  async loadAdapter(dir: string): Promise<number> {
    this.#adapted ??= this.#openAdapted()
    const session = await this.#adapted.catch((error: unknown) => {
      this.#adapted = undefined
      throw error
    })
    this.#adaptedSession = session
    const id = await this.#adapters.load(dir)
    this.#dropBindings() // those with adapters lie over the stacks of before
    return id
  }

  unloadAdapter(id: number): void {
    this.#adapters.unload(id)
    this.#dropBindings()
  }

  dispose(): void {
    this.#dropBindings()
    this.#session.dispose()
    this.#adaptedSession?.dispose()
  }

  /** Sets the rows' entries of the stacks; false when no row has an adapter. */
  #chooseAdapters(adapters: readonly number[]): boolean {
    const positions = adapters.map((id) => (id === 0 ? 0 : this.#adapters.positionOf(id)))
    positions.forEach((position, row) => (this.#adapterIndex[row] = BigInt(position)))
    return positions.some((position) => position > 0)
  }

  /** Parts of `block` [layers, 2, Nkv, tokens, D] and where each lies in the layers' buffers. */
  #eachPiece(
    slot: number,
    start: number,
    block: Float32Array,
    visit: (buffer: Float32Array, at: number, piece: Float32Array) => void,
  ): void {
    const { kvHeads, headDim } = this.config
    const size = (block.length / this.floatsPerToken) * headDim
    const first = slot * this.#slotSize + start * headDim
    let from = 0
    for (const { key, value } of this.#layers) {
      for (const buffer of [key, value]) {
        for (let head = 0; head < kvHeads; head += 1) {
          const at = first + head * this.contextLength * headDim
          visit(buffer, at, block.subarray(from, from + size))
          from += size
        }
      }
    }
  }

  async #run(shape: Shape): Promise<Float32Array> {
    const session = shape.adapted ? this.#adaptedSession! : this.#session
    await session.run(this.#binding(shape))
    return this.#logits.subarray(0, shape.rows * shape.logits * this.vocabSize)
  }

  /** Makes the shared arrays large enough; bindings over the old ones go. */
  #reserve(tokens: number, logits: number): void {
    const logitCount = logits * this.vocabSize
    const fits =
      tokens <= this.#ids.length &&
      logits <= this.#logitPositions.length &&
      logitCount <= this.#logits.length
    if (fits) return
    this.#dropBindings()
    if (tokens > this.#ids.length) this.#ids = new BigInt64Array(tokens)
    if (logits > this.#logitPositions.length) this.#logitPositions = new BigInt64Array(logits)
    if (logitCount > this.#logits.length) this.#logits = new Float32Array(logitCount)
  }

  /** The kept binding of this shape, or a new one in place of the one unused longest. */
  #binding(shape: Shape): Binding {
    const key = `${shape.first}:${shape.rows}:${shape.tokens}:${shape.logits}:${shape.adapted}`
    const kept = this.#bindings.get(key)
    const binding = kept ?? this.#bind(shape)
    this.#bindings.delete(key)
    if (this.#bindings.size >= BINDING_LIMIT) {
      const [oldestKey, oldest] = this.#bindings.entries().next().value!
      this.#bindings.delete(oldestKey)
      oldest.dispose()
    }
    this.#bindings.set(key, binding)
    return binding
  }

  #bind(shape: Shape): Binding {
    const session = shape.adapted ? this.#adaptedSession! : this.#session
    const binding = session.createBinding()
    try {
      this.#bindAll(binding, shape)
      if (shape.adapted) this.#bindAdapters(binding, shape.rows)
    } catch (error) {
      binding.dispose()
      throw error
    }
    return binding
  }

  #bindAll(binding: Binding, shape: Shape): void {
    const { rows, tokens, logits } = shape
    const ids = this.#ids.subarray(0, rows * tokens)
    binding.bindInput('input_ids', createTensor('int64', [rows, tokens], ids))
    binding.bindInput('seqlens_k', createTensor('int32', [rows], this.#seqlens.subarray(0, rows)))
    binding.bindInput('total_sequence_length', createTensor('int32', [1], this.#total))
    const positions = this.#logitPositions.subarray(0, logits)
    binding.bindInput('logit_positions', createTensor('int64', [logits], positions))
    const scores = this.#logits.subarray(0, rows * logits * this.vocabSize)
    binding.bindOutput('logits', createTensor('float32', [rows, logits, this.vocabSize], scores))
    this.#layers.forEach((layer, i) => {
      this.#bindCache(binding, `${i}.key`, layer.key, shape)
      this.#bindCache(binding, `${i}.value`, layer.value, shape)
    })
  }

  #bindAdapters(binding: Binding, rows: number): void {
    const index = this.#adapterIndex.subarray(0, rows)
    binding.bindInput('adapter_index', createTensor('int64', [rows], index))
    for (const { layer, dims, a, b } of this.#adapters.stacks) {
      const names = stackNames(layer)
      binding.bindInput(names.a, createTensor('float32', [dims.n, dims.in, dims.r], a))
      binding.bindInput(names.b, createTensor('float32', [dims.n, dims.r, dims.out], b))
    }
  }

  /** Past and present are one tensor over the slots' part of the buffer. */
  #bindCache(binding: Binding, name: string, buffer: Float32Array, shape: Shape): void {
    const begin = shape.first * this.#slotSize
    const part = buffer.subarray(begin, begin + shape.rows * this.#slotSize)
    const { kvHeads, headDim } = this.config
    const dims = [shape.rows, kvHeads, this.contextLength, headDim]
    const tensor = createTensor('float32', dims, part)
    binding.bindInput(`past_key_values.${name}`, tensor)
    binding.bindOutput(`present.${name}`, tensor)
  }

  #dropBindings(): void {
    for (const binding of this.#bindings.values()) binding.dispose()
    this.#bindings.clear()
  }
}
