/** The items of a response into a request of the generating service. */
import type { InputMessage } from '../../schemas/common.ts'
import type { ResponseItem, ResponseRequest } from '../../schemas/responses.ts'
import type { GenerationRequest } from '../services/generator.ts'
import type { Constraint } from '../grammar/index.ts'
import { readConstraint } from './constraint-input.ts'
import { conversation, samplingOptions } from './generation-input.ts'

export function responseGeneration(
  body: ResponseRequest,
  items: readonly ResponseItem[],
): GenerationRequest {
  const { model, instructions, attributes, steering } = body
  const messages: InputMessage[] = items.map(toMessage)
  if (instructions) messages.unshift({ role: 'system', content: instructions })
  return {
    ...conversation({ model, messages, attributes, steering }),
    n: 1,
    options: {
      ...samplingOptions(body),
      maxTokens: body.max_output_tokens ?? undefined,
      constraint: constraintOf(body),
      logprobs: wantsLogprobs(body) ? (body.top_logprobs ?? 0) : undefined,
    },
  }
}

/** `text.format` is `response_format` with its members in one object. */
function constraintOf({
  text,
  structured_outputs,
  ignore_eos,
}: ResponseRequest): Constraint | undefined {
  const format = text?.format ?? { type: 'text' }
  if (format.type !== 'json_schema')
    return readConstraint({ response_format: format, structured_outputs, ignore_eos })
  const { type, ...json_schema } = format
  return readConstraint({ response_format: { type, json_schema }, structured_outputs, ignore_eos })
}

function wantsLogprobs({ include, top_logprobs: top }: ResponseRequest): boolean {
  return (top ?? 0) > 0 || (include?.includes('message.output_text.logprobs') ?? false)
}

function toMessage(item: ResponseItem): InputMessage {
  const content = item.content.map(({ text }) => text).join('')
  if (item.role !== 'assistant') return { role: item.role, content }
  return { role: 'assistant', content, attributes: item.attributes }
}
