/**
 * PGlite on disk with real fsync. PGlite starts PostgreSQL with `-F` (no fsync), and its file layer has no fsync
 * callback, so a committed row would survive a kill but not a power cut (electric-sql/pglite#1107). This leaves out
 * `-F`, adds the callback, and sets `wal_sync_method=fsync`, because PGlite's fdatasync does nothing.
 * It leans on Emscripten's internals: `test/database/durable-pglite.test.ts` counts the calls.
 */
import { fsyncSync } from 'node:fs'
import { PGlite } from '@electric-sql/pglite'
import { NodeFS } from '@electric-sql/pglite/nodefs'

const settings = [
  'wal_sync_method=fsync',
  // PGlite's own default is 128 MB, all of it touched.
  'shared_buffers=16MB',
  'min_wal_size=32MB',
  'max_wal_size=64MB',
  'timezone=UTC',
]

/** Opens an existing data folder. `syncs` counts the fsync calls so far. */
export async function openDurablePglite(
  dir: string,
): Promise<{ lite: PGlite; syncs: () => number }> {
  const withFsync = PGlite.defaultStartParams.filter((param) => param !== '-F')
  const fs = new DurableNodeFs(dir)
  const lite = await PGlite.create({
    fs,
    startParams: [...withFsync, ...settings.flatMap((setting) => ['-c', setting])],
  })
  return { lite, syncs: () => fs.syncs }
}

type Init = NodeFS['init']

/** What of Emscripten's NODEFS is used here. */
interface EmscriptenNodeFs {
  stream_ops: { fsync?: (stream: { nfd?: number }) => number }
  /** Turns Node's errors into Emscripten's, which PostgreSQL sees as errno. */
  tryFSOperation<T>(operation: () => T): T
}

class DurableNodeFs extends NodeFS {
  syncs = 0

  override async init(...args: Parameters<Init>): ReturnType<Init> {
    const { emscriptenOpts } = await super.init(...args)
    const addFsync = (module: unknown): void => {
      const { NODEFS } = module as { NODEFS: EmscriptenNodeFs }
      NODEFS.stream_ops.fsync = ({ nfd }) => {
        if (nfd !== undefined) NODEFS.tryFSOperation(() => fsyncSync(nfd))
        this.syncs += 1
        return 0
      }
    }
    return {
      emscriptenOpts: { ...emscriptenOpts, preRun: [...(emscriptenOpts.preRun ?? []), addFsync] },
    }
  }
}
