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

/** The reply's text without special tokens, trimmed. It ends where the model ends it or the context is full. */
export async function sampleReply(
  engine: Engine,
  text: OpenedModel,
  options: SampleOptions,
  signal?: AbortSignal,
): Promise<string> {
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
  for await (const event of engine.generate(request, signal))
    if (event.type === 'token') tokens.push(event.token)
  return text.tokenizer.decode(tokens, { skipSpecialTokens: true }).trim()
}
