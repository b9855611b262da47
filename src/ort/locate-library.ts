/**
 * Finds the ONNX Runtime shared library that the npm package `onnxruntime-node` carries for this
 * platform. Only the library is used; the package's own JavaScript binding is never loaded.
 */
import { readdirSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fail } from '../errors.ts'

const fileNames: Partial<Record<NodeJS.Platform, RegExp>> = {
  linux: /^libonnxruntime\.so(\.\d+)*$/,
  darwin: /^libonnxruntime(\.\d+)*\.dylib$/,
  win32: /^onnxruntime\.dll$/,
}

function packageFolder(): string {
  try {
    return dirname(createRequire(import.meta.url).resolve('onnxruntime-node/package.json'))
  } catch (cause) {
    fail('RUNTIME_UNAVAILABLE', 'the npm package onnxruntime-node is not installed; run npm ci', {
      cause,
    })
  }
}

/** Folder names, or [] where the folder does not exist. */
function list(folder: string): string[] {
  try {
    return readdirSync(folder)
  } catch {
    return []
  }
}

/** Every `<platform>-<arch>` for which the package has a library. */
function availablePlatforms(binFolder: string): string[] {
  return list(binFolder).flatMap((platform) =>
    list(join(binFolder, platform)).map((arch) => `${platform}-${arch}`),
  )
}

/**
 * Absolute path of the library. Fails with RUNTIME_UNAVAILABLE, naming the platforms there are,
 * where the package has none for `platform` and `arch`.
 */
export function locateLibrary(
  platform: NodeJS.Platform = process.platform,
  arch: string = process.arch,
): string {
  const root = join(packageFolder(), 'bin')
  // bin/napi-v6 today; the Node-API level in the name changes with the package's version.
  const levels = list(root).filter((name) => name.startsWith('napi-'))
  for (const level of levels) {
    const folder = join(root, level, platform, arch)
    const file = list(folder).find((name) => fileNames[platform]?.test(name))
    if (file) return join(folder, file)
  }
  const known = levels.flatMap((level) => availablePlatforms(join(root, level)))
  return fail(
    'RUNTIME_UNAVAILABLE',
    `onnxruntime-node has no library for ${platform}-${arch}; it has ${known.join(', ') || 'none'}`,
  )
}
