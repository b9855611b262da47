/** Whose jobs may import from the hub; looked at before the routes of jobs. */
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { fail } from '../errors.ts'
import { mayDo } from '../services/keys.ts'

/** Keys with the scope `admin`, all that may create jobs, or nobody. */
export type HubImports = 'admin' | 'jobs' | 'off'

export function installHubImports(app: FastifyInstance, allowed: HubImports): void {
  app.addHook('preHandler', async (request) => {
    const isCreation = request.method === 'POST' && request.routeOptions.url === '/v1/jobs'
    if (isCreation) checkHubImports(request, allowed)
  })
}

/** A server without keys trusts whoever reaches it. Fails FORBIDDEN. */
function checkHubImports({ body, apiKey }: FastifyRequest, allowed: HubImports): void {
  const { pipeline } = (body ?? {}) as { pipeline?: unknown }
  const steps: unknown[] = Array.isArray(pipeline) ? pipeline : [body]
  if (allowed === 'jobs' || !steps.some(importsFromHub)) return
  if (allowed === 'off') fail('FORBIDDEN', 'this server imports nothing from the hub')
  if (apiKey && !mayDo(apiKey, 'admin')) {
    fail('FORBIDDEN', `imports from the hub need the scope "admin"; the key "${apiKey.name}" lacks it`) // prettier-ignore
  }
}

const importsFromHub = (step: unknown): boolean => {
  const { kind, spec } = (step ?? {}) as { kind?: unknown; spec?: { hub?: unknown } | null }
  return kind === 'import' && spec?.hub != null
}
