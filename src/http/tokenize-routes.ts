/**
 * POST /v1/tokenize, /v1/detokenize, /v1/apply-template; also without `/v1`, where vLLM and llama.cpp have them.
 */
import type { FastifyInstance } from 'fastify'
import {
  ApplyTemplateRequest,
  DetokenizeRequest,
  TokenizeRequest,
  type ApplyTemplateResponse,
  type DetokenizeResponse,
  type TokenizeResponse,
} from '../../schemas/tokenize.ts'
import type { Models } from '../services/models.ts'
import type { ModelRuntime, Prompt } from '../services/runtime-types.ts'
import { toMessages } from './generation-input.ts'
import { parseInput } from './parse-body.ts'

export const tokenizeRoutes = (models: Models) => async (app: FastifyInstance) => {
  const find = (name: string | null | undefined): ModelRuntime =>
    name == null ? models.default() : models.get(name)

  const tokenize = async (given: unknown): Promise<TokenizeResponse> => {
    const body = parseInput(TokenizeRequest, given)
    const model = find(body.model)
    const isText = 'prompt' in body
    const prompt = isText ? { text: body.prompt } : promptOf(body)
    const plain = isText && body.add_special_tokens === false
    const { tokens } = await model.encode(prompt, { addSpecialTokens: !plain })
    const withTexts = body.return_token_strs === true
    return {
      model: model.info.id,
      tokens,
      count: tokens.length,
      max_model_len: model.info.contextLength,
      ...(withTexts && { token_strs: (await model.decode(tokens)).pieces }),
    }
  }

  const detokenize = async (given: unknown): Promise<DetokenizeResponse> => {
    const body = parseInput(DetokenizeRequest, given)
    const model = find(body.model)
    return { model: model.info.id, prompt: (await model.decode(body.tokens)).text }
  }

  const applyTemplate = async (given: unknown): Promise<ApplyTemplateResponse> => {
    const body = parseInput(ApplyTemplateRequest, given)
    const model = find(body.model)
    return { model: model.info.id, prompt: (await model.encode(promptOf(body))).text }
  }

  for (const start of ['/v1', '']) {
    app.post(`${start}/tokenize`, ({ body }) => tokenize(body))
    app.post(`${start}/detokenize`, ({ body }) => detokenize(body))
    app.post(`${start}/apply-template`, ({ body }) => applyTemplate(body))
  }
}

function promptOf({ messages, attributes }: ApplyTemplateRequest): Prompt {
  return { messages: toMessages(messages), attributes: attributes ?? {} }
}
