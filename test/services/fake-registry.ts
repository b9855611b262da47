/** A registry service in which nothing is published, but for what a test gives. */
import { fail } from '../../src/errors.ts'
import type { RegistryService } from '../../src/services/registry-service.ts'

export function fakeRegistry(parts: Partial<RegistryService> = {}): RegistryService {
  const unknown = async (name: string): Promise<never> => fail('MODEL_NOT_FOUND', `"${name}"`)
  return {
    list: async () => [],
    get: unknown,
    version: unknown,
    card: unknown,
    publish: async ({ from }) => unknown(from),
    setAlias: unknown,
    rollback: unknown,
    deleteAlias: unknown,
    deleteVersion: unknown,
    deleteModel: unknown,
    workspace: async () => [],
    deleteWorkspaceModel: unknown,
    served: () => [],
    serve: unknown,
    unload: unknown,
    deleteServed: unknown,
    ...parts,
  }
}
