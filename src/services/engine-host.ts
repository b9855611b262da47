/**
 * The child's side of an engine process: takes messages, runs them on one model runtime, sends what comes
 * out. Ends with its parent. The entry file is `src/engine-process.ts`.
 */
import { packError, type FromEngine, type Sent, type ToEngine } from './engine-protocol.ts'
import type { LoadOptions, ModelRuntime } from './model-runtime.ts'

/** What of `process` the host needs. */
export interface ParentPort {
  send(message: Sent): void
  onMessage(listener: (message: ToEngine) => void): void
  /** The parent went away. */
  onDisconnect(listener: () => void): void
  exit(code: number): void
}

export type LoadRuntime = (dir: string, options: LoadOptions) => Promise<ModelRuntime>

/** Serves until `shutdown` or the parent's end. */
export function hostEngine(port: ParentPort, loadRuntime: LoadRuntime): void {
  const running = new Map<number, AbortController>()
  /** Of replies whose reader does not keep up. */
  const gates = new Map<number, PromiseWithResolvers<void>>()
  const post = createOutbox(port)
  let runtime: ModelRuntime | undefined

  const load = async (dir: string, options: LoadOptions): Promise<void> => {
    try {
      runtime = await loadRuntime(dir, options)
      post({ type: 'ready', info: runtime.info })
    } catch (error) {
      post({ type: 'failed', error: packError(error) })
    }
  }

  const run = async (id: number, work: (signal: AbortSignal) => Promise<void>): Promise<void> => {
    const abort = new AbortController()
    running.set(id, abort)
    try {
      await work(abort.signal)
      post({ type: 'end', id })
    } catch (error) {
      post({ type: 'error', id, error: packError(error) })
    } finally {
      running.delete(id)
      release(id)
    }
  }

  const release = (id: number): void => {
    gates.get(id)?.resolve()
    gates.delete(id)
  }

  const shutdown = async (): Promise<void> => {
    for (const abort of running.values()) abort.abort()
    await runtime?.dispose()
    port.exit(0)
  }

  port.onDisconnect(() => port.exit(0))
  port.onMessage((message) => {
    if (message.type === 'load') {
      void load(message.dir, message.options)
    } else if (message.type === 'generate') {
      const { id, request } = message
      void run(id, async (signal) => {
        for await (const event of runtime!.generate(request, signal)) {
          post({ type: 'event', id, event })
          // What is not read here waits in the engine, which then stops.
          await gates.get(id)?.promise
        }
      })
    } else if (message.type === 'predict') {
      const { id, inputs, options } = message
      void run(id, async (signal) => {
        post({ type: 'predicted', id, values: await runtime!.predict(inputs, signal, options) })
      })
    } else if (message.type === 'rate') {
      const { id, prompt, texts, options } = message
      void run(id, async (signal) => {
        const likelihoods = await runtime!.likelihoods(prompt, texts, options, signal)
        post({ type: 'rated', id, likelihoods })
      })
    } else if (message.type === 'embed') {
      const { id, inputs, options } = message
      void run(id, async (signal) => {
        post({ type: 'embedded', id, embeddings: await runtime!.embed(inputs, options, signal) })
      })
    } else if (message.type === 'count') {
      const { id, prompt } = message
      void run(id, async () => {
        post({ type: 'counted', id, tokens: await runtime!.countTokens(prompt) })
      })
    } else if (message.type === 'encode') {
      const { id, prompt, options } = message
      void run(id, async () => {
        post({ type: 'encoded', id, encoded: await runtime!.encode(prompt, options) })
      })
    } else if (message.type === 'decode') {
      const { id, tokens } = message
      void run(id, async () => {
        post({ type: 'decoded', id, decoded: await runtime!.decode(tokens) })
      })
    } else if (message.type === 'cancel') {
      running.get(message.id)?.abort()
      release(message.id)
    } else if (message.type === 'hold') {
      if (running.has(message.id)) gates.set(message.id, Promise.withResolvers())
    } else if (message.type === 'release') {
      release(message.id)
    } else {
      void shutdown()
    }
  })
  post({ type: 'hello' })
}

/** Collects what one step of the engine gives to its streams, and sends it as one message. */
function createOutbox(port: ParentPort): (message: FromEngine) => void {
  let waiting: FromEngine[] = []
  const flush = (): void => {
    const messages = waiting
    waiting = []
    port.send(messages.length === 1 ? messages[0]! : { type: 'batch', messages })
  }
  return (message) => {
    waiting.push(message)
    if (waiting.length === 1) setImmediate(flush)
  }
}
