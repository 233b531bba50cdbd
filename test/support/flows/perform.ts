import { expect } from 'vitest'
import { succeed } from '../../../src/lib/result.ts'
import type { Message } from '../../../src/redfish/messages/message.ts'
import type { JsonObject } from '../../../src/redfish/resource.ts'
import { uris } from '../../../src/redfish/uris.ts'
import type { Fetcher } from '../../../src/transfer/fetcher.ts'
import type { ApplyTime } from '../../../src/redfish/apply-times.ts'
import type { TestEmulator } from '../emulator.ts'
import { bundleOf } from '../images.ts'
import { push, pushRaw } from '../multipart.ts'
import { keysOf } from '../work.ts'
import type { Act, Devices } from './flow.ts'

export const versions: Readonly<Record<string, string>> = { BIOS: '1.9.0', 'NIC-1': '22.42.1' }
/** `BIOS` is activated by a reset of its system; `NIC-1` activates itself. */
export const devicesOf: Readonly<Record<Devices, readonly string[]>> = {
  'no reset': ['NIC-1'],
  reset: ['BIOS'],
  both: ['BIOS', 'NIC-1'],
}
const imageOf = (devices: Devices): Promise<Buffer> =>
  bundleOf(Object.fromEntries(devicesOf[devices].map((id) => [id, versions[id] ?? ''])))
export const imagesOf: Readonly<Record<Devices, Buffer>> = {
  'no reset': await imageOf('no reset'),
  reset: await imageOf('reset'),
  both: await imageOf('both'),
}

/** How an image comes to the service. */
export const ways = ['a multipart push', 'a raw push', 'a pull', 'a pull of a kept image'] as const
export type Way = (typeof ways)[number]

/** Longer than any device takes, and shorter than it is until the maintenance window. */
const ENOUGH_MS = 300_000
const UNTIL_WINDOW_MS = 7_200_000
const SIMPLE_UPDATE = uris.action(uris.updateService, 'UpdateService.SimpleUpdate')

/** Gives the image of those devices, whatever it is asked for. */
export function fetcherOf(devices: Devices): Fetcher {
  const body = async function* (): AsyncIterable<Uint8Array> {
    yield imagesOf[devices]
  }
  const image = { fileName: 'update.tar', sizeBytes: imagesOf[devices].length, body: body() }
  return { open: () => Promise.resolve(succeed(image)) }
}

/** Brings what the way needs in place: the options of HttpPushUri, or an image that the service keeps. */
export async function prepare(
  emulator: TestEmulator,
  way: Way,
  { devices, applyTime }: { readonly devices: Devices; readonly applyTime: ApplyTime },
): Promise<void> {
  if (way === 'a raw push') {
    const window = {
      MaintenanceWindowStartTime: '2026-01-01T02:00:00Z',
      MaintenanceWindowDurationInSeconds: 7_200,
    }
    const when = { ApplyTime: applyTime, ...(applyTime.includes('Window') && window) }
    const body = { HttpPushUriOptions: { HttpPushUriApplyTime: when } }
    expect((await emulator.send(uris.updateService, { method: 'PATCH', body })).status).toBe(200)
  }
  if (way === 'a pull of a kept image') {
    // It is for none of the targets: nothing comes of it but that it is kept.
    await push(emulator, imagesOf[devices], { LocalImage: true, Targets: [uris.firmware('CPLD')] })
    await emulator.clock.advance(1)
  }
}

/** Asks for the update. */
export function ask(
  emulator: TestEmulator,
  way: Way,
  { devices, applyTime }: { readonly devices: Devices; readonly applyTime: ApplyTime },
) {
  const parameters = { '@Redfish.OperationApplyTime': applyTime }
  const pull = (ImageURI: string) =>
    emulator.send(SIMPLE_UPDATE, { method: 'POST', body: { ImageURI, ...parameters } })
  switch (way) {
    case 'a multipart push':
      return push(emulator, imagesOf[devices], parameters)
    case 'a raw push':
      return pushRaw(emulator, imagesOf[devices])
    case 'a pull':
      return pull('http://images.example/update.tar')
    case 'a pull of a kept image':
      return pull(uris.localImageData('1'))
  }
}

/** Does what the flow comes to next, and lets it have its time; `told` is what was told before. */
export async function perform(
  emulator: TestEmulator,
  act: Exclude<Act, 'the update is asked for'>,
  told: readonly Message[],
): Promise<void> {
  const { send, clock } = emulator
  const post = (uri: string, body: JsonObject) => send(uri, { method: 'POST', body })
  switch (act) {
    case 'StartUpdate': {
      const answer = await post(uris.action(uris.updateService, 'UpdateService.StartUpdate'), {})
      expect(answer.status).toBe(202)
      break
    }
    case 'the reset that was named': {
      const resets = new Map(resetsIn(told).map((reset) => [reset.join(' '), reset]))
      expect(resets.size).toBe(1)
      for (const [target = '', ResetType = ''] of resets.values())
        expect((await post(target, { ResetType })).status).toBe(204)
      break
    }
    case 'the window opens':
      await clock.advance(UNTIL_WINDOW_MS - ENOUGH_MS)
      break
    case 'a reset in the window': {
      // Nobody is asked for it beforehand: it would do nothing before the window.
      expect(resetsIn(told)).toEqual([])
      const target = uris.action(uris.system('1'), 'ComputerSystem.Reset')
      expect((await post(target, { ResetType: 'GracefulRestart' })).status).toBe(204)
      break
    }
  }
  await clock.advance(ENOUGH_MS)
}

function resetsIn(told: readonly Message[]): readonly (readonly string[])[] {
  return told.flatMap((one) => (keysOf([one])[0] === 'ResetRequired' ? [one.MessageArgs.map(String)] : []))
}
