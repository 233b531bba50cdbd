import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import type { Errand } from '../../src/client/errand.ts'
import { pushImage, type PushRequest } from '../../src/client/push.ts'
import { RedfishClient } from '../../src/client/redfish-client.ts'
import type { EmulatorOptions } from '../../src/index.ts'
import { VirtualClock } from '../../src/lib/clock.ts'
import { uris } from '../../src/redfish/uris.ts'
import { PASSWORD } from './emulator.ts'
import { startWire, temporaryFolder } from './wire.ts'

/** A file with an image. */
export async function fileOf(image: Buffer): Promise<string> {
  const file = join(await temporaryFolder(), 'update.tar')
  await writeFile(file, image)
  return file
}

/** Pushes to a service, and remembers what it was told. */
export async function pushTo(
  url: string,
  image: string,
  clock: Errand['clock'],
  request: Partial<PushRequest> = {},
) {
  const client = new RedfishClient(url, { user: 'admin', password: PASSWORD, insecure: false })
  onTestFinished(() => client.close())
  const waits: string[] = []
  const keys: string[] = []
  const watcher = {
    sent: () => {},
    progressed: () => {},
    said: ({ key }: { readonly key: string }) => void keys.push(key),
    waiting: (text: string) => void waits.push(text),
  }
  const asked = { image, parameters: {}, resets: false, starts: false, ...request }
  const isGood = await pushImage({ client, watcher, clock }, asked)
  return { isGood, waits, keys }
}

/** An emulator on real sockets whose time only passes while the pushing client waits. */
export async function startPushing(options: EmulatorOptions = {}) {
  const clock = new VirtualClock()
  const wire = await startWire({ clock, speed: 1, ...options })
  const waiting = { now: () => clock.now(), sleep: (ms: number) => clock.advance(ms) }
  return {
    ...wire,
    clock,
    push: async (image: Buffer | string, request: Partial<PushRequest> = {}) =>
      pushTo(wire.url, typeof image === 'string' ? image : await fileOf(image), waiting, request),
    versionOf: async (id: string) => (await wire.get(uris.firmware(id))).json['Version'] as string,
    /** The resources that were reset, in this order. */
    resets: () =>
      [...wire.bmc.state.auditLog.values()]
        .filter(
          ({ message: { MessageId }, origin }) =>
            MessageId.endsWith('.Success') && origin !== uris.updateService,
        )
        .map(({ origin }) => origin.replace(`${uris.root}/`, '')),
  }
}
