import { buffer } from 'node:stream/consumers'
import { expect } from 'vitest'
import { buildBundle } from '../../src/image/build/bundle.ts'
import type { JsonObject } from '../../src/redfish/resource.ts'
import type { TestEmulator } from './emulator.ts'
import { push } from './multipart.ts'

/** Pushes a bundle with these versions for components of the emulator's own machine; it must be accepted. */
export async function pushVersions(
  emulator: TestEmulator,
  versions: Readonly<Record<string, string>>,
  parameters: JsonObject = {},
): Promise<void> {
  const { components } = emulator.bmc.machine
  const parts = Object.entries(versions).map(([name, version]) => ({
    name,
    version,
    softwareId: components.get(name)?.softwareId ?? '',
    sizeBytes: 512,
  }))
  const { status } = await push(emulator, await buffer(buildBundle(parts)), parameters)
  expect(status).toBe(202)
}
