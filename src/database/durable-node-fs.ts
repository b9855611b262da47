/**
 * PGlite's folder on disk with real fsync. PGlite starts PostgreSQL with `-F` (no fsync), and its file layer has no
 * fsync callback, so a committed row would survive a kill but not a power cut (electric-sql/pglite#1107). This adds the
 * callback; `pglite-worker.ts` leaves out `-F` and sets `wal_sync_method=fsync`, because PGlite's fdatasync does nothing.
 * It leans on Emscripten's internals: `test/database/pglite.test.ts` counts the calls.
 */
import { fsyncSync } from 'node:fs'
import { NodeFS } from '@electric-sql/pglite/nodefs'

type Init = NodeFS['init']

/** What of Emscripten's NODEFS is used here. */
interface EmscriptenNodeFs {
  stream_ops: { fsync?: (stream: { nfd?: number }) => number }
  /** Turns Node's errors into Emscripten's, which PostgreSQL sees as errno. */
  tryFSOperation<T>(operation: () => T): T
}

export class DurableNodeFs extends NodeFS {
  /** Calls that reached the disk. */
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
