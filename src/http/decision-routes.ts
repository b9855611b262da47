/** POST /v1/decisions. Parses and calls the service. */
import type { FastifyInstance } from 'fastify'
import { DecisionRequest, type Decision } from '../../schemas/decisions.ts'
import { decide } from '../services/decisions.ts'
import type { SpendTokens } from '../services/metered-generator.ts'
import type { Models } from '../services/models.ts'
import { disconnectSignal } from './event-stream.ts'
import { parseInput } from './parse-body.ts'

export const decisionRoutes =
  (models: Models, spend?: SpendTokens) => async (app: FastifyInstance) => {
    app.post('/v1/decisions', async (request, reply): Promise<Decision> => {
      const body = parseInput(DecisionRequest, request.body)
      const { apiKey, ip } = request
      const owner = apiKey ? `key:${apiKey.id}` : `address:${ip}`
      const decision = await decide(models, body, { owner, signal: disconnectSignal(reply) })
      const { input_tokens: promptTokens } = decision.usage
      if (apiKey) spend?.(apiKey, { promptTokens, completionTokens: 0 })
      return decision
    })
  }
