import { buffer } from 'node:stream/consumers'
import { buildBundle } from '../../src/image/build/bundle.ts'
import type { ComponentOrder } from '../../src/image/build/builder.ts'
import { ourMachine } from './machines.ts'

const machine = ourMachine('rackmount')

/** A bundle in memory for components of `rackmount`: real bytes, real digests. */
export function bundleOf(
  versions: Readonly<Record<string, string>>,
  extra: Partial<ComponentOrder> = {},
): Promise<Buffer> {
  const components = Object.entries(versions).map(([name, version]) => ({
    name,
    version,
    softwareId: machine.components.get(name)?.softwareId ?? name,
    sizeBytes: 64 * 1_024,
    ...extra,
  }))
  return buffer(buildBundle(components))
}
