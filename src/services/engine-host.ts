/**
 * The child's side of an engine process: takes messages, runs them on one model runtime, sends what comes
 * out. Ends with its parent. The entry file is `src/engine-process.ts`.
 */
import { packError, type FromEngine, type ToEngine } from './engine-protocol.ts'
import type { LoadOptions, ModelRuntime } from './model-runtime.ts'

/** What of `process` the host needs. */
export interface ParentPort {
  send(message: FromEngine): void
  onMessage(listener: (message: ToEngine) => void): void
  /** The parent went away. */
  onDisconnect(listener: () => void): void
  exit(code: number): void
}

export type LoadRuntime = (dir: string, options: LoadOptions) => Promise<ModelRuntime>

/** Serves until `shutdown` or the parent's end. */
export function hostEngine(port: ParentPort, loadRuntime: LoadRuntime): void {
  const running = new Map<number, AbortController>()
  let runtime: ModelRuntime | undefined

  const load = async (dir: string, options: LoadOptions): Promise<void> => {
    try {
      runtime = await loadRuntime(dir, options)
      port.send({ type: 'ready', info: runtime.info })
    } catch (error) {
      port.send({ type: 'failed', error: packError(error) })
    }
  }

  const run = async (id: number, work: (signal: AbortSignal) => Promise<void>): Promise<void> => {
    const abort = new AbortController()
    running.set(id, abort)
    try {
      await work(abort.signal)
      port.send({ type: 'end', id })
    } catch (error) {
      port.send({ type: 'error', id, error: packError(error) })
    } finally {
      running.delete(id)
    }
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
          port.send({ type: 'event', id, event })
        }
      })
    } else if (message.type === 'predict') {
      const { id, inputs } = message
      void run(id, async (signal) => {
        port.send({ type: 'predicted', id, values: await runtime!.predict(inputs, signal) })
      })
    } else if (message.type === 'count') {
      const { id, prompt } = message
      void run(id, async () => {
        port.send({ type: 'counted', id, tokens: await runtime!.countTokens(prompt) })
      })
    } else if (message.type === 'encode') {
      const { id, prompt, options } = message
      void run(id, async () => {
        port.send({ type: 'encoded', id, encoded: await runtime!.encode(prompt, options) })
      })
    } else if (message.type === 'decode') {
      const { id, tokens } = message
      void run(id, async () => {
        port.send({ type: 'decoded', id, decoded: await runtime!.decode(tokens) })
      })
    } else if (message.type === 'cancel') {
      running.get(message.id)?.abort()
    } else {
      void shutdown()
    }
  })
  port.send({ type: 'hello' })
}
