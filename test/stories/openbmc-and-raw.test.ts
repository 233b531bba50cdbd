import { buffer } from 'node:stream/consumers'
import { gzipSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import { loadMachine } from '../../src/bmc/mockup-folder.ts'
import type { ImageOrder } from '../../src/image/build/builder.ts'
import { openbmcBuilder } from '../../src/image/build/openbmc.ts'
import { uris } from '../../src/redfish/uris.ts'
import { startEmulator, type TestEmulator } from '../support/emulator.ts'
import { messageKeys, pushRaw } from '../support/multipart.ts'
import { beginPull, startFetching } from '../support/pulls.ts'
import { LONG_MS, outcome, untilInstalled, update } from '../support/updates.ts'

const PSU_1 = uris.firmware('PSU-1')
const PSU_2 = uris.firmware('PSU-2')
const refused = ['UpdateInProgress', 'VerificationFailed', 'ImageMalformed']
const machine = loadMachine('rackmount')
interface OpenbmcIdentity {
  readonly machineName: string
  readonly purpose: string
}

/** Bytes around a text, as in a raw image. */
function raw(text: string, before = 70_000): Buffer {
  return Buffer.concat([Buffer.alloc(before, 0x90), Buffer.from(text), Buffer.alloc(3_000, 0xff)])
}

function tarball(more: Partial<ImageOrder> = {}, its: Partial<OpenbmcIdentity> = {}): Promise<Buffer> {
  const { id, softwareId, behaviour } = machine.components.get('BMC-Primary') ?? {}
  if (id === undefined || softwareId === undefined) throw new Error('no BMC-Primary')
  const openbmc = { machineName: '', purpose: '', ...behaviour?.identity?.openbmc, ...its }
  const component = { name: id, version: '2.4.0', softwareId, identity: { openbmc }, sizeBytes: 300_000 }
  return buffer(openbmcBuilder.build({ components: [component], ...more }))
}

async function versions({ get }: TestEmulator, ...ids: readonly string[]): Promise<unknown[]> {
  return Promise.all(ids.map(async (id) => (await get(uris.firmware(id)))['Version']))
}

describe('bytes of no format', () => {
  test('are for the component that the request names, and for no other that takes the same', async () => {
    const emulator = await startEmulator()
    const { keys, monitor } = await update(emulator, raw('PSU-FW 1.8.0.1\0'), { Targets: [PSU_2] })
    const expected = [...untilInstalled, 'ApplyingOnComponent', 'UpdateSuccessful']
    expect({ keys, monitor }).toEqual({ keys: expected, monitor: 200 })
    expect(await versions(emulator, 'PSU-1', 'PSU-2')).toEqual(['1.7.3.20', '1.8.0.1'])
  })

  test('are for all components that the request names', async () => {
    const emulator = await startEmulator()
    const { monitor } = await update(emulator, raw('PSU-FW 1.8.0.1\0'), { Targets: [PSU_1, PSU_2] })
    expect(monitor).toBe(200)
    expect(await versions(emulator, 'PSU-1', 'PSU-2')).toEqual(['1.8.0.1', '1.8.0.1'])
  })

  test('are for nobody when the request names no component', async () => {
    const emulator = await startEmulator()
    const { keys, monitor } = await update(emulator, raw('PSU-FW 1.8.0.1\0'))
    expect({ keys, monitor }).toEqual({ keys: ['UpdateInProgress', 'NoTargetsDetermined'], monitor: 400 })
  })

  test.each([
    ['whose data does not allow it', 'NIC-1'],
    ['whose pattern is another', 'CPLD'],
  ])('are not applicable to a component %s', async (_what, id) => {
    const emulator = await startEmulator()
    const [before] = await versions(emulator, id)
    const { keys } = await update(emulator, raw('PSU-FW 1.8.0.1\0'), { Targets: [uris.firmware(id)] })
    expect(keys).toEqual(['UpdateInProgress', 'UpdateNotApplicable', 'AllTargetsDetermined'])
    expect(await versions(emulator, id)).toEqual([before])
  })

  test('without a version in them are no image', async () => {
    const emulator = await startEmulator()
    const { keys, monitor } = await update(emulator, raw('PSU-FW one'), { Targets: [PSU_1] })
    expect({ keys, monitor }).toEqual({ keys: refused, monitor: 400 })
  })

  test('can be pulled', async () => {
    const emulator = await startFetching(raw('CPLD-V3.1.0 '))
    const Targets = [uris.firmware('CPLD')]
    const id = await beginPull(emulator, { ImageURI: 'http://images.example/cpld.bin', Targets })
    await emulator.clock.advance(LONG_MS)
    expect(await outcome(emulator, id)).toMatchObject({ monitor: 200 })
    expect(await versions(emulator, 'CPLD')).toEqual(['3.1.0'])
  })

  test('can be the body of a push, with targets that were given before', async () => {
    const emulator = await startEmulator()
    const body = { HttpPushUriTargets: [PSU_1] }
    expect((await emulator.send(uris.updateService, { method: 'PATCH', body })).status).toBe(200)
    expect((await pushRaw(emulator, raw('PSU-FW 1.8.0.1\0'))).status).toBe(202)
    await emulator.clock.advance(LONG_MS)
    expect(await versions(emulator, 'PSU-1', 'PSU-2')).toEqual(['1.8.0.1', '1.7.3.20'])
  })

  test.each([0, 1, 760, 1_006, 1_015, 1_024, 65_300, 65_518, 65_536, 200_000])(
    'tell their whole version %d bytes from their beginning',
    async (before) => {
      const emulator = await startEmulator()
      const { monitor } = await update(emulator, raw('PSU-FW 11.22.33.4455', before), { Targets: [PSU_1] })
      expect(monitor).toBe(200)
      expect(await versions(emulator, 'PSU-1')).toEqual(['11.22.33.4455'])
    },
  )

  test('may end with their version', async () => {
    const emulator = await startEmulator()
    const image = Buffer.concat([Buffer.alloc(70_000), Buffer.from('PSU-FW 1.8.0.1')])
    await update(emulator, image, { Targets: [PSU_1] })
    expect(await versions(emulator, 'PSU-1')).toEqual(['1.8.0.1'])
  })
})

describe('an OpenBMC tarball', () => {
  test.each([
    ['plain', {}],
    ['compressed', { gzip: 'true' }],
  ])('that is %s reaches the primary, and waits there for its reset', async (_how, options) => {
    const emulator = await startEmulator()
    const { keys } = await update(emulator, await tarball({ options }))
    expect(keys).toEqual([...untilInstalled, 'AwaitToActivate', 'ResetRequired'])
    const plain = await tarball()
    const { pending } = emulator.bmc.state.components.get('BMC-Primary') ?? {}
    expect(pending).toMatchObject({ version: '2.4.0', sizeBytes: plain.length })
    expect(emulator.spool.entries.size).toBe(0)
  })

  test('reaches the backup, too, when it is named', async () => {
    const emulator = await startEmulator()
    const { keys } = await update(emulator, await tarball({ options: { gzip: 'true' } }), {
      Targets: [uris.firmware('BMC-Backup')],
    })
    expect(keys).toContain('InstallingOnComponent')
    expect(emulator.bmc.state.components.get('BMC-Backup')?.pending).toMatchObject({ version: '2.4.0' })
  })

  test.each([
    ['another machine', { machineName: 'bladed-blade' }, 'NoTargetsDetermined'],
    ['another purpose', { purpose: 'Host' }, 'NoTargetsDetermined'],
    ['no machine in particular', { machineName: '' }, 'TargetDetermined'],
  ])('for %s finds the targets that it should', async (_what, identity, key) => {
    const emulator = await startEmulator()
    const { keys } = await update(emulator, await tarball({}, identity))
    expect(keys).toContain(key)
  })

  test('that unpacks to more than an image may have is refused, whatever it came as', async () => {
    const emulator = await startEmulator({ maxImageBytes: 250_000 })
    const zeros = gzipSync(Buffer.alloc(300_000))
    expect(messageKeys((await update(emulator, zeros)).task)).toEqual(refused)
  })
})
