/** /v1/registry and DELETE /v1/models/:id. Parses, calls the service, serialises; no logic of its own. */
import type { FastifyInstance } from 'fastify'
import {
  AliasRequest,
  DeleteModelQuery,
  PublishRequest,
  type DeletedModel,
  type MovedAlias,
  type PublishedVersion,
  type RegistryDeleted,
  type RegistryModel,
  type RegistryModelList,
  type RegistryVersion,
  type ServedModel,
  type ServedModelList,
  type WorkspaceModelList,
} from '../../schemas/registry.ts'
import { fail } from '../errors.ts'
import type { RegistryService } from '../services/registry-service.ts'
import { parseInput } from './parse-body.ts'
import {
  toMovedAlias,
  toPublishedVersion,
  toRegistryModel,
  toRegistryVersion,
  toServedModel,
  toWorkspaceModel,
} from './registry-serializer.ts'

type Named = { Params: { name: string } }
type OfVersion = { Params: { name: string; version: string } }
type OfAlias = { Params: { name: string; alias: string } }

export const registryRoutes = (registry: RegistryService) => async (app: FastifyInstance) => {
  await app.register(versionRoutes(registry))
  await app.register(aliasRoutes(registry))
  await app.register(servedRoutes(registry))
  await app.register(workspaceRoutes(registry))

  app.get('/v1/registry/models', async (): Promise<RegistryModelList> => ({
    object: 'list',
    data: (await registry.list()).map(toRegistryModel),
  }))

  app.get<Named>('/v1/registry/models/:name', async ({ params }): Promise<RegistryModel> =>
    toRegistryModel(await registry.get(params.name)),
  )

  app.delete<Named>('/v1/registry/models/:name', async (request): Promise<RegistryDeleted> => {
    const { name } = request.params
    const { force } = parseInput(DeleteModelQuery, request.query, 'the query')
    await registry.deleteModel(name, { force: force === 'true' })
    return { id: name, object: 'registry.model', deleted: true }
  })

  app.delete<{ Params: { id: string } }>(
    '/v1/models/:id',
    async ({ params }): Promise<DeletedModel> => {
      await registry.deleteServed(params.id)
      return { id: params.id, object: 'model', deleted: true }
    },
  )
}

const versionRoutes = (registry: RegistryService) => async (app: FastifyInstance) => {
  const path = '/v1/registry/models/:name/versions/:version'

  app.post<Named>(
    '/v1/registry/models/:name/versions',
    async (request, reply): Promise<PublishedVersion> => {
      // prettier-ignore
      const { from, aliases, note } = parseInput(PublishRequest, request.body)
      const { name: model } = request.params
      const publishing = { model, from, aliases: aliases ?? [], note: note ?? null }
      const published = toPublishedVersion(await registry.publish(publishing))
      void reply.code(201)
      return published
    },
  )

  app.get<OfVersion>(path, async ({ params }): Promise<RegistryVersion> =>
    toRegistryVersion(await registry.version(params.name, versionNumber(params))),
  )

  app.get<OfVersion>(`${path}/card`, async ({ params }, reply) => {
    const card = await registry.card(params.name, versionNumber(params))
    return reply
      .header('content-type', 'text/markdown; charset=utf-8')
      .header('x-content-type-options', 'nosniff')
      .send(card)
  })

  app.delete<OfVersion>(path, async ({ params }): Promise<RegistryDeleted> => {
    const version = versionNumber(params)
    await registry.deleteVersion(params.name, version)
    return { id: `${params.name}@${version}`, object: 'registry.version', deleted: true }
  })
}

const aliasRoutes = (registry: RegistryService) => async (app: FastifyInstance) => {
  const path = '/v1/registry/models/:name/aliases/:alias'

  app.put<OfAlias>(path, async ({ params, body }): Promise<MovedAlias> => {
    const { version } = parseInput(AliasRequest, body)
    return toMovedAlias(await registry.setAlias(params.name, params.alias, version))
  })

  app.post<OfAlias>(`${path}/rollback`, async ({ params }): Promise<MovedAlias> =>
    toMovedAlias(await registry.rollback(params.name, params.alias)),
  )

  app.delete<OfAlias>(path, async ({ params }): Promise<RegistryDeleted> => {
    await registry.deleteAlias(params.name, params.alias)
    return { id: `${params.name}@${params.alias}`, object: 'registry.alias', deleted: true }
  })
}

const servedRoutes = (registry: RegistryService) => async (app: FastifyInstance) => {
  app.get('/v1/registry/served', async (): Promise<ServedModelList> => ({
    object: 'list',
    data: registry.served().map(toServedModel),
  }))

  app.put<Named>('/v1/registry/served/:name', async ({ params }): Promise<ServedModel> =>
    toServedModel(await registry.serve(params.name)),
  )

  app.delete<Named>('/v1/registry/served/:name', async ({ params }): Promise<RegistryDeleted> => {
    await registry.unload(params.name)
    return { id: params.name, object: 'registry.served', deleted: true }
  })
}

const workspaceRoutes = (registry: RegistryService) => async (app: FastifyInstance) => {
  app.get('/v1/registry/workspace', async (): Promise<WorkspaceModelList> => ({
    object: 'list',
    data: (await registry.workspace()).map(toWorkspaceModel),
  }))

  app.delete<Named>(
    '/v1/registry/workspace/:name',
    async ({ params }): Promise<RegistryDeleted> => {
      // prettier-ignore
      await registry.deleteWorkspaceModel(params.name)
      return { id: params.name, object: 'registry.workspace_model', deleted: true }
    },
  )
}

function versionNumber({ version }: { version: string }): number {
  if (/^[1-9]\d{0,8}$/.test(version)) return Number(version)
  return fail('BAD_REQUEST', `version: expected a number, got "${version.slice(0, 50)}"`, {
    param: 'version',
  })
}
