/**
 * The decode graph on ONNX Runtime, over key/value memory owned here (`cache-memory.ts`). A run over slots
 * first … first + B − 1 binds that part of it as past and as present, so the cache is written in place and never copied.
 *
 * On the processor a `Binding` per shape is kept and reused; all share the small input arrays and the logits array,
 * which is right because runs follow one another. Other devices copy small inputs when they are bound: there is one
 * binding for each graph, bound anew for every run, and adapters stay on the device.
 */

import { stackNames, type ModelConfig } from '../arch/index.ts'
import { AdapterStacks } from './adapter-stacks.ts'
import { cacheFloatsPerToken, type CacheMemory } from './cache-memory.ts'
import { DeviceCache } from './device-cache.ts'
import { planDevice } from './device-plan.ts'
import { HostCache } from './host-cache.ts'
import { planKvMemory, type KvBudget, type KvRequest } from './kv-budget.ts'
import { buildDecodeModel } from './serving-models.ts'
import type { Binding, Device } from '../ort/index.ts'
import { createTensor, Session } from '../ort/index.ts'
import { runSettings } from './run-settings.ts'
import type { DecodeInput, ModelStep, PrefillInput } from './model-step.ts'

export interface OrtModelStepOptions extends KvRequest {
  modelDir: string
  threads?: number
  /** Default `cpu`. */
  device?: Device
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

export class OrtModelStep implements ModelStep {
  readonly config: ModelConfig
  readonly budget: KvBudget
  readonly slots: number
  readonly contextLength: number
  readonly vocabSize: number
  readonly floatsPerToken: number
  readonly #session: Session
  readonly device: Device
  readonly maxRows: number
  readonly #cache: CacheMemory
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
  /** Ends with the work on the device under way: one thing at a time there. */
  #tail: Promise<unknown> = Promise.resolve()

  private constructor(
    session: Session,
    config: ModelConfig,
    size: { budget: KvBudget; cache: CacheMemory },
    openAdapted: () => Promise<Session>,
  ) {
    this.#session = session
    this.device = session.device
    this.#cache = size.cache
    this.maxRows = size.cache.maxRows
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
    this.#seqlens = new Int32Array(slots)
    this.#ids = new BigInt64Array(slots)
    this.#logitPositions = new BigInt64Array(1)
    this.#logits = new Float32Array(slots * config.vocabSize)
  }

  /** Loads the checkpoint. Fails with the catalogue's checkpoint and runtime errors. */
  static async create(options: OrtModelStepOptions): Promise<OrtModelStep> {
    const { modelDir, device = 'cpu' } = options
    const plan = await planDevice(modelDir, device)
    const floatBytes = plan.attention === 'float16' ? 2 : 4
    const budgetOf = (known: ModelConfig): KvBudget =>
      planKvMemory(known, floatBytes * cacheFloatsPerToken(known), options)
    const contextOf = (known: ModelConfig): number => budgetOf(known).contextLength
    const run = { ...runSettings(options.threads), device }
    const open = async (adapters: boolean) => {
      const built = await buildDecodeModel(modelDir, contextOf, { adapters, plan })
      const { model, weightsDirectory, config } = built
      return { config, start: () => Session.create({ model, weightsDirectory, ...run }) }
    }
    const { config, start } = await open(false)
    const openAdapted = async () => (await open(true)).start()
    if (device === 'cpu') {
      const budget = budgetOf(config)
      const cache = new HostCache(config, budget)
      return new OrtModelStep(await start(), config, { budget, cache }, openAdapted)
    }
    const session = await start()
    try {
      const budget = { ...budgetOf(config), prefixBytes: 0 }
      const cache = await DeviceCache.create(session, config, { ...budget, type: plan.attention }) // prettier-ignore
      return new OrtModelStep(session, config, { budget, cache }, openAdapted)
    } catch (error) {
      session.dispose()
      throw error
    }
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
    this.#cache.copyPrefix(from, to, count)
  }

  readCache(slot: number, start: number, into: Float32Array): void {
    this.#cache.readBlock(slot, start, into)
  }

  writeCache(slot: number, start: number, from: Float32Array): void {
    this.#cache.writeBlock(slot, start, from)
  }

  /** Between two runs or during one. Fails BAD_CHECKPOINT where the folder does not fit the model. */
  async loadAdapter(dir: string): Promise<number> {
    this.#adapted ??= this.#alone(this.#openAdapted)
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
    this.#cache.dispose()
    this.#session.dispose()
    this.#adaptedSession?.dispose()
  }

  /** Sets the rows' entries of the stacks; false when no row has an adapter. */
  #chooseAdapters(adapters: readonly number[]): boolean {
    const positions = adapters.map((id) => (id === 0 ? 0 : this.#adapters.positionOf(id)))
    positions.forEach((position, row) => (this.#adapterIndex[row] = BigInt(position)))
    return positions.some((position) => position > 0)
  }

  async #run(shape: Shape): Promise<Float32Array> {
    await this.#alone(async () => {
      await this.#cache.settleCopies()
      const session = shape.adapted ? this.#adaptedSession! : this.#session
      await session.run(this.device === 'cpu' ? this.#binding(shape) : this.#bindAnew(shape))
    })
    return this.#logits.subarray(0, shape.rows * shape.logits * this.vocabSize)
  }

  /** On the processor a model may be loaded while another runs. */
  async #alone<T>(work: () => Promise<T>): Promise<T> {
    if (this.device === 'cpu') return work()
    const result = this.#tail.then(work)
    this.#tail = result.catch(() => {})
    return result
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

  /** The graph's one binding with this run's inputs; the adapters' stacks went to the device with the first. */
  #bindAnew(shape: Shape): Binding {
    const key = shape.adapted ? 'adapted' : 'plain'
    const binding = this.#bindings.get(key) ?? this.#bind(shape)
    this.#bindings.set(key, binding)
    this.#bindAll(binding, shape)
    if (shape.adapted) this.#bindAdapterIndex(binding, shape.rows)
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
    this.#cache.tensors(shape.first, rows).forEach((layer, i) => {
      for (const kind of ['key', 'value'] as const) {
        binding.bindInput(`past_key_values.${i}.${kind}`, layer[kind])
        binding.bindOutput(`present.${i}.${kind}`, layer[kind])
      }
    })
  }

  #bindAdapterIndex(binding: Binding, rows: number): void {
    const index = this.#adapterIndex.subarray(0, rows)
    binding.bindInput('adapter_index', createTensor('int64', [rows], index))
  }

  #bindAdapters(binding: Binding, rows: number): void {
    this.#bindAdapterIndex(binding, rows)
    for (const { layer, dims, a, b } of this.#adapters.stacks) {
      const names = stackNames(layer)
      binding.bindInput(names.a, createTensor('float32', [dims.n, dims.in, dims.r], a))
      binding.bindInput(names.b, createTensor('float32', [dims.n, dims.r, dims.out], b))
    }
  }

  #dropBindings(): void {
    for (const binding of this.#bindings.values()) binding.dispose()
    this.#bindings.clear()
  }
}
