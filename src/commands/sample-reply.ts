/** One whole reply from an engine in this process, for bootstrapping and evaluation. */
import type { Message } from '../../schemas/records.ts'
import type { Engine } from '../engine/index.ts'
import type { OpenedModel } from './workplace.ts'

export interface SampleOptions {
  readonly messages: readonly Message[]
  /** Values of the label line; empty: none. */
  readonly attributes: Record<string, number>
  readonly temperature: number
  readonly topK?: number
  readonly seed: number
}

export interface SampledReply {
  /** Without special tokens, trimmed. */
  readonly text: string
  /** False where the full context cut the reply off before the model ended it. */
  readonly finished: boolean
}

export async function sampleReply(
  engine: Engine,
  text: OpenedModel,
  options: SampleOptions,
  signal?: AbortSignal,
): Promise<SampledReply> {
  const { messages, attributes, temperature, topK, seed } = options
  const prompt = text.template.promptTokens(messages, attributes)
  const request = {
    tokens: prompt,
    maxTokens: engine.contextLength - prompt.length,
    temperature,
    topK,
    seed,
    stopTokens: text.template.stopTokens,
  }
  const tokens: number[] = []
  let finished = false
  for await (const event of engine.generate(request, signal)) {
    if (event.type === 'token') tokens.push(event.token)
    if (event.type === 'done') finished = event.reason === 'stop'
  }
  return { text: text.tokenizer.decode(tokens, { skipSpecialTokens: true }).trim(), finished }
}
