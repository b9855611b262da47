/**
 * A model in its own child process, seen as a `ModelRuntime`. Owns the process's life: start, typed messages,
 * cancellation, restart with back-off after a crash, shutdown. The other side is `engine-host.ts`.
 */
import { fork, type ChildProcess } from 'node:child_process'
import { EventQueue } from '../engine/event-queue.ts'
import { describeKvBudget } from '../engine/index.ts'
import { SteerError, fail } from '../errors.ts'
import { unpackError, type FromEngine, type Sent, type ToEngine } from './engine-protocol.ts'
import type { LoadOptions } from './model-runtime.ts'
import type {
  DecodedTokens,
  EmbedOptions,
  EmbeddingInput,
  Embeddings,
  EncodeOptions,
  EncodedPrompt,
  LikelihoodOptions,
  Likelihoods,
  ModelInfo,
  ModelRuntime,
  PredictInput,
  PredictOptions,
  Prompt,
  TextEvent,
  TextRequest,
} from './runtime-types.ts'

export interface EngineClientOptions {
  /** The model's folder. */
  dir: string
  load?: LoadOptions
  /** The module that the process runs. */
  entry: URL
  /** How long a request waits for a model that is being restarted, before ENGINE_STARTING. */
  waitMs?: number
  /** The pause before the first restart; doubles with every crash. */
  backoffMs?: number
  maxBackoffMs?: number
  /** After this long without a crash, the pauses begin anew. */
  stableMs?: number
  /** How long a shutdown may take before the process is killed. */
  shutdownMs?: number
  /** Told of crashes and restarts. */
  log?: (event: { event: string; model: string; detail?: string }) => void
}

/** The engine is to wait once so many answers of a request are unread, and to go on at a quarter. */
const unreadAnswers = 16

type Answer = Extract<FromEngine, { id: number }>
type State = 'starting' | 'ready' | 'down' | 'closed'

/**
 * Starts the process and loads the model. Fails with what the loading failed with, or ENGINE_CRASHED when
 * the process ended meanwhile; from then on it is restarted, however often it ends. The caller disposes it.
 */
export async function createEngineClient(options: EngineClientOptions): Promise<EngineClient> {
  const client = new EngineClient(options)
  await client.start()
  return client
}

export class EngineClient implements ModelRuntime {
  readonly #options: Required<Omit<EngineClientOptions, 'load'>> & { load: LoadOptions }
  #state: State = 'starting'
  #child: ChildProcess | undefined
  #info: ModelInfo | undefined
  #crashes = 0
  #readyAtMs = 0
  #restartTimer: NodeJS.Timeout | undefined
  #lastId = 0
  readonly #answers = new Map<number, EventQueue<Answer>>()
  /** Requests whose answers nobody reads at the moment. */
  readonly #held = new Set<number>()
  readonly #stateListeners = new Set<() => void>()
  #startError: SteerError | undefined

  constructor(options: EngineClientOptions) {
    this.#options = {
      load: {},
      waitMs: 10_000,
      backoffMs: 250,
      maxBackoffMs: 30_000,
      stableMs: 60_000,
      shutdownMs: 5_000,
      log: () => {},
      ...options,
    }
  }

  get info(): ModelInfo {
    return this.#info ?? fail('ENGINE_STARTING', `${this.#options.dir} was never loaded`)
  }

  get ready(): boolean {
    return this.#state === 'ready'
  }

  /** The operating system's id of the process, while there is one. */
  get pid(): number | undefined {
    return this.#child?.pid
  }

  async start(): Promise<void> {
    this.#spawn()
    while (this.#state === 'starting') await this.#stateChange()
    if (this.#startError) throw this.#startError
  }

  async *generate(request: TextRequest, signal?: AbortSignal): AsyncGenerator<TextEvent> {
    for await (const answer of this.#ask((id) => ({ type: 'generate', id, request }), signal)) {
      if (answer.type === 'event') yield answer.event
    }
  }

  async predict(
    inputs: PredictInput[],
    signal?: AbortSignal,
    options?: PredictOptions,
  ): Promise<Record<string, number>[]> {
    const ask = (id: number): ToEngine => ({ type: 'predict', id, inputs, options })
    for await (const answer of this.#ask(ask, signal)) {
      if (answer.type === 'predicted') return answer.values
    }
    return fail('INTERNAL', 'internal: the engine process ended a prediction without values')
  }

  async likelihoods(
    prompt: Prompt,
    texts: string[],
    options?: LikelihoodOptions,
    signal?: AbortSignal,
  ): Promise<Likelihoods> {
    const ask = (id: number): ToEngine => ({ type: 'rate', id, prompt, texts, options })
    for await (const answer of this.#ask(ask, signal)) {
      if (answer.type === 'rated') return answer.likelihoods
    }
    return fail('INTERNAL', 'internal: the engine process ended a rating without numbers')
  }

  async embed(
    inputs: EmbeddingInput[],
    options?: EmbedOptions,
    signal?: AbortSignal,
  ): Promise<Embeddings> {
    const ask = (id: number): ToEngine => ({ type: 'embed', id, inputs, options })
    for await (const answer of this.#ask(ask, signal)) {
      if (answer.type === 'embedded') return answer.embeddings
    }
    return fail('INTERNAL', 'internal: the engine process ended an embedding without vectors')
  }

  async countTokens(prompt: Prompt): Promise<number> {
    for await (const answer of this.#ask((id) => ({ type: 'count', id, prompt }))) {
      if (answer.type === 'counted') return answer.tokens
    }
    return fail('INTERNAL', 'internal: the engine process ended a count without a number')
  }

  async encode(prompt: Prompt, options?: EncodeOptions): Promise<EncodedPrompt> {
    for await (const answer of this.#ask((id) => ({ type: 'encode', id, prompt, options }))) {
      if (answer.type === 'encoded') return answer.encoded
    }
    return fail('INTERNAL', 'internal: the engine process ended an encoding without tokens')
  }

  async decode(tokens: readonly number[]): Promise<DecodedTokens> {
    for await (const answer of this.#ask((id) => ({ type: 'decode', id, tokens }))) {
      if (answer.type === 'decoded') return answer.decoded
    }
    return fail('INTERNAL', 'internal: the engine process ended a decoding without text')
  }

  /** Ends the process; open requests fail with CANCELLED. */
  async dispose(): Promise<void> {
    if (this.#state === 'closed') return
    this.#setState('closed')
    clearTimeout(this.#restartTimer)
    this.#failAll(new SteerError('CANCELLED', 'the server shuts down'))
    const child = this.#child
    if (!child) return
    const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()))
    this.#send({ type: 'shutdown' })
    const timer = setTimeout(() => child.kill('SIGKILL'), this.#options.shutdownMs)
    await ended
    clearTimeout(timer)
  }

  /** Sends a request and gives its answers up to `end`. */
  async *#ask(message: (id: number) => ToEngine, signal?: AbortSignal): AsyncGenerator<Answer> {
    await this.#untilReady(signal)
    const id = ++this.#lastId
    const cancel = (): void => {
      if (this.#answers.delete(id)) this.#send({ type: 'cancel', id })
    }
    const queue = new EventQueue<Answer>(cancel, (left) => {
      if (left <= unreadAnswers / 4 && this.#held.delete(id)) this.#send({ type: 'release', id })
    })
    const onAbort = (): void => {
      cancel()
      queue.fail(new SteerError('CANCELLED', 'by the client'))
    }
    this.#answers.set(id, queue)
    signal?.addEventListener('abort', onAbort, { once: true })
    this.#send(message(id))
    try {
      yield* queue
    } finally {
      signal?.removeEventListener('abort', onAbort)
      this.#held.delete(id)
      cancel()
    }
  }

  async #untilReady(signal?: AbortSignal): Promise<void> {
    if (this.#state === 'ready' && !signal?.aborted) return
    const deadline = AbortSignal.timeout(this.#options.waitMs)
    const ends = signal ? AbortSignal.any([signal, deadline]) : deadline
    for (;;) {
      if (signal?.aborted) fail('CANCELLED', 'by the client')
      if (this.#state === 'ready') return
      if (this.#state === 'closed') fail('ENGINE_STARTING', 'the server shuts down')
      if (deadline.aborted) fail('ENGINE_STARTING', `"${this.#name}" is being restarted`)
      await this.#stateChange(ends)
    }
  }

  /** Resolves at the next change of state, or when the signal aborts. */
  #stateChange(signal?: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        this.#stateListeners.delete(done)
        signal?.removeEventListener('abort', done)
        resolve()
      }
      this.#stateListeners.add(done)
      signal?.addEventListener('abort', done, { once: true })
    })
  }

  #setState(state: State): void {
    this.#state = state
    for (const listener of [...this.#stateListeners]) listener()
  }

  #spawn(): void {
    const child = fork(this.#options.entry, [], {
      serialization: 'advanced',
      execArgv: [],
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    })
    this.#child = child
    this.#setState('starting')
    child.on('message', (message) => this.#receive(message as Sent))
    child.on('error', (error) => this.#ended(error.message))
    child.on('exit', (code, exitSignal) =>
      this.#ended(exitSignal ? `signal ${exitSignal}` : `exit code ${code}`),
    )
  }

  #send(message: ToEngine): void {
    // A send to a process that just ended fails; its `exit` event then fails the request.
    this.#child?.send(message, () => {})
  }

  #receive(message: Sent): void {
    switch (message.type) {
      case 'batch':
        return message.messages.forEach((part) => this.#receive(part))
      case 'hello':
        return this.#send({ type: 'load', dir: this.#options.dir, options: this.#options.load })
      case 'ready':
        this.#info = message.info
        this.#readyAtMs = performance.now()
        if (this.#crashes > 0) this.#log('engine restarted')
        if (message.info.kv) this.#log('engine memory', describeKvBudget(message.info.kv))
        return this.#state === 'closed' ? undefined : this.#setState('ready')
      case 'failed':
        this.#startError = unpackError(message.error)
        this.#child?.kill('SIGKILL')
        return
      default:
        return this.#deliver(message)
    }
  }

  #deliver(answer: Answer): void {
    const queue = this.#answers.get(answer.id)
    if (!queue) return // cancelled meanwhile
    if (answer.type === 'end' || answer.type === 'error') this.#answers.delete(answer.id)
    if (answer.type === 'end') queue.end()
    else if (answer.type === 'error') queue.fail(unpackError(answer.error))
    else queue.push(answer)
    if (queue.size < unreadAnswers || this.#held.has(answer.id)) return
    if (!this.#answers.has(answer.id)) return
    this.#held.add(answer.id)
    this.#send({ type: 'hold', id: answer.id })
  }

  #ended(how: string): void {
    if (!this.#child) return // both `error` and `exit` came
    this.#child = undefined
    if (this.#state === 'closed') return
    this.#failAll(new SteerError('ENGINE_CRASHED', `the process of "${this.#name}" ended: ${how}`))
    if (!this.#info) {
      this.#startError ??= new SteerError('ENGINE_CRASHED', `${this.#name} while loading: ${how}`)
      return this.#setState('closed')
    }
    this.#log('engine ended', this.#startError?.message ?? how)
    this.#startError = undefined
    this.#scheduleRestart()
  }

  #scheduleRestart(): void {
    const { backoffMs, maxBackoffMs, stableMs } = this.#options
    const wasStable = this.#state === 'ready' && performance.now() - this.#readyAtMs > stableMs
    this.#crashes = wasStable ? 1 : this.#crashes + 1
    const pauseMs = Math.min(maxBackoffMs, backoffMs * 2 ** (this.#crashes - 1))
    this.#setState('down')
    this.#restartTimer = setTimeout(() => this.#spawn(), pauseMs)
  }

  #failAll(error: SteerError): void {
    const queues = [...this.#answers.values()]
    this.#answers.clear()
    for (const queue of queues) queue.fail(error)
  }

  get #name(): string {
    return this.#info?.id ?? this.#options.dir
  }

  #log(event: string, detail?: string): void {
    this.#options.log({ event, model: this.#name, detail })
  }
}
