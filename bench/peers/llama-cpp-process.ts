/**
 * node-llama-cpp in a process of its own, so that neither side's threads disturb the other's. Started by
 * `llama-cpp.ts` with the folder it is installed in; answers one message at a time.
 */
import { createRequire } from 'node:module'
import { pathToFileURL } from 'node:url'

/** What is used of node-llama-cpp 3. */
interface Sequence {
  evaluate(tokens: readonly number[], options: { temperature: number }): AsyncIterable<number>
  evaluateWithoutGeneratingNewTokens(tokens: readonly number[]): Promise<void>
  clearHistory(): Promise<void>
}
interface Context {
  getSequence(): Sequence
}
interface Model {
  createContext(options: Record<string, unknown>): Promise<Context>
}
interface Llama {
  loadModel(options: Record<string, unknown>): Promise<Model>
}
interface Module {
  getLlama(options: Record<string, unknown>): Promise<Llama>
}

export interface LoadRequest {
  readonly type: 'load'
  readonly installed: string
  readonly path: string
  readonly threads: number
  readonly sequences: number
  readonly contextLength: number
}
export type PeerRequest =
  | LoadRequest
  | {
      readonly type: 'decode'
      readonly prompts: readonly (readonly number[])[]
      readonly newTokens: number
    }
  | { readonly type: 'prefill'; readonly prompt: readonly number[] }

let sequences: Sequence[] = []

async function load(request: LoadRequest): Promise<void> {
  const require = createRequire(`${request.installed}/package.json`)
  const entry = require.resolve('node-llama-cpp')
  const { getLlama } = (await import(pathToFileURL(entry).href)) as Module
  const { threads, contextLength } = request
  const llama = await getLlama({
    gpu: false,
    build: 'never',
    maxThreads: threads,
    logLevel: 'error',
  })
  const model = await llama.loadModel({ modelPath: request.path, useMmap: true })
  const context = await model.createContext({
    sequences: request.sequences,
    contextSize: contextLength,
    batchSize: 512,
    threads: { ideal: threads, min: threads },
  })
  sequences = Array.from({ length: request.sequences }, () => context.getSequence())
}

/** Milliseconds at which each token of each stream was read. */
async function decode(prompts: readonly (readonly number[])[], newTokens: number) {
  const streams = prompts.map(async (prompt, i) => {
    const sequence = sequences[i]!
    await sequence.clearHistory()
    const times: number[] = []
    for await (const _ of sequence.evaluate(prompt, { temperature: 0 })) {
      times.push(performance.now())
      if (times.length === newTokens) break
    }
    return times
  })
  return Promise.all(streams)
}

async function prefill(prompt: readonly number[]): Promise<number> {
  await sequences[0]!.clearHistory()
  const started = performance.now()
  await sequences[0]!.evaluateWithoutGeneratingNewTokens(prompt)
  return performance.now() - started
}

async function answer(request: PeerRequest): Promise<unknown> {
  if (request.type === 'load') return load(request)
  if (request.type === 'decode') return decode(request.prompts, request.newTokens)
  return prefill(request.prompt)
}

process.on('message', (request: PeerRequest) => {
  answer(request).then(
    (result) => process.send!({ result }),
    (error: Error) => process.send!({ error: error.stack }),
  )
})
process.on('disconnect', () => process.exit(0))
