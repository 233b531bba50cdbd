import { expect, test } from 'vitest'
import { commit } from '../../src/bmc/commit.ts'
import { occurrencesOf } from '../../src/events/occurrences.ts'
import { messageKeyOf } from '../../src/events/occurrence.ts'
import type { Announcement } from '../../src/console/method.ts'
import { Devices } from '../../src/console/devices.ts'
import { VirtualClock } from '../../src/lib/clock.ts'
import { isThere } from '../../src/bmc/presence.ts'
import { lastSegment, uris } from '../../src/redfish/uris.ts'
import { REFRESH_MS, startEmulator } from '../support/emulator.ts'
import { attach, startLab } from '../support/lab.ts'
import { labDevice, labMethod, runs } from '../support/managed-devices.ts'

const all = [
  uris.aggregationSource('1'),
  uris.system('1'),
  uris.manager('1'),
  uris.chassisMember('1'),
  uris.firmware('1-BMC'),
  uris.firmware('1-BIOS'),
]

/** A console with a device, and what anybody who watches would be told from then on: by message and resource. */
async function watchLab() {
  const lab = await startLab(['lab-1'])
  const told: string[] = []
  lab.bmc.listeners.add((change, before) => {
    for (const { message, origin } of occurrencesOf(lab.bmc, change, before))
      told.push(`${messageKeyOf(message.MessageId).split('.')[1]} ${origin}`)
  })
  return { ...lab, told: () => told.splice(0).toSorted() }
}

const each = (key: string, origins: readonly string[]) => origins.map((uri) => `${key} ${uri}`).toSorted()

test('a device that comes and goes is told with all that shows it, and so are aggregates', async () => {
  const lab = await watchLab()
  await lab.send(uris.aggregates, { method: 'POST', body: { Elements: [{ '@odata.id': uris.system('1') }] } })
  expect(lab.told()).toContain(`ResourceCreated ${uris.aggregate('1')}`)
  await lab.send(uris.aggregationSource('1'), { method: 'DELETE' })
  const gone = lab.told()
  expect(gone.filter((one) => one.startsWith('ResourceRemoved'))).toEqual(each('ResourceRemoved', all))
  expect(gone).toContain(`ResourceChanged ${uris.aggregate('1')}`)
  await attach(lab, 'lab-1')
  const created = lab.told().filter((one) => one.startsWith('ResourceCreated'))
  expect(created).toEqual(
    each(
      'ResourceCreated',
      all.map((uri) => uri.replace('/1', '/2')),
    ),
  )
})

test('a device that is lost, and is back, is told in events and in the log', async () => {
  const lab = await watchLab()
  lab.device('lab-1').isUp = false
  await lab.clock.advance(REFRESH_MS)
  const [source = '', ...shown] = all.slice(0, 4)
  const states = each('ResourceStateChanged', [source, ...shown])
  expect(lab.told()).toEqual([...states, `ResourceStatusChangedCritical ${source}`])
  lab.device('lab-1').isUp = true
  await lab.clock.advance(REFRESH_MS)
  const back = lab.told()
  expect(back.filter((one) => one.startsWith('ResourceStateChanged'))).toEqual(states)
  expect(back).toContain(`ResourceStatusChangedOK ${source}`)
  const log = [...lab.bmc.state.log.values()].map(({ message, origin, description }) => [
    messageKeyOf(message.MessageId),
    origin,
    description,
  ])
  expect(log.slice(-2)).toEqual([
    ['ResourceEvent.ResourceStatusChangedCritical', source, 'lab-1'],
    ['ResourceEvent.ResourceStatusChangedOK', source, undefined],
  ])
})

test('what is gone is named in the log, and not linked to any more', async () => {
  const lab = await startLab(['lab-1', 'lab-2'])
  lab.device('lab-1').isUp = false
  await lab.clock.advance(REFRESH_MS)
  const entry = async () => lab.get(uris.logEntry(lab.bmc.machine.manager, String(lab.bmc.state.log.size)))
  const related = [uris.system('1'), uris.manager('1'), uris.chassisMember('1')]
  expect(await entry()).toMatchObject({
    Links: {
      OriginOfCondition: { '@odata.id': uris.aggregationSource('1') },
      RelatedItem: related.map((uri) => ({ '@odata.id': uri })),
    },
  })
  await lab.send(uris.aggregationSource('1'), { method: 'DELETE' })
  expect(await entry()).toMatchObject({ OriginOfConditionUnavailable: true })
  expect((await entry())['Links']).toEqual({})
  const there = [
    uris.system('2'),
    uris.firmware('2-BIOS'),
    uris.manager(lastSegment(lab.bmc.machine.manager)),
  ]
  expect(there.map((uri) => isThere(lab.bmc, uri))).toEqual([true, true, true])
  const gone = [uris.firmware('1-BIOS'), uris.firmware('2-BIOS-0.9'), uris.aggregate('1')]
  expect(gone.map((uri) => isThere(lab.bmc, uri))).toEqual([false, false, false])
})

test('what of a device is otherwise is told, and nothing else is', async () => {
  const lab = await watchLab()
  const device = lab.device('lab-1')
  const looked = async (): Promise<readonly string[]> => {
    await lab.clock.advance(REFRESH_MS)
    return lab.told()
  }
  expect(await looked()).toEqual([])
  device.facts = { ...device.facts, power: 'Off' }
  expect(await looked()).toEqual([`ResourcePoweredOff ${uris.system('1')}`])
  runs(device, 'BIOS', '2.0.0')
  expect(await looked()).toEqual(each('ResourceChanged', [uris.system('1'), uris.firmware('1-BIOS')]))
  // An update has told of its version before the device does.
  const now = { releaseDate: undefined, state: 'Enabled', health: 'OK', sizeBytes: 1, pending: undefined }
  commit(lab.bmc, { components: [['1-BIOS', { ...now, version: '3.0.0' }]] })
  expect(lab.told()).toEqual(each('ResourceChanged', [uris.system('1'), uris.firmware('1-BIOS')]))
  runs(device, 'BIOS', '3.0.0')
  expect(await looked()).toEqual([])
})

test('a device that comes by itself is in the log as discovered', async () => {
  const clock = new VirtualClock()
  const lab = labMethod({ 'lab-1': labDevice('lab-1') })
  let tell: (announcement: Announcement) => void = () => {}
  const announces = (told: typeof tell) => {
    tell = told
    return () => {}
  }
  const look: typeof lab.adapter.look = (device, signal) =>
    lab.adapter.look({ ...device, password: 'of-the-device' }, signal)
  const methods = [{ ...lab, announces, adapter: { ...lab.adapter, look } }]
  const { bmc } = await startEmulator({ machine: 'console' })
  const devices = new Devices({
    clock,
    methods,
    refreshMs: REFRESH_MS,
    failed: (error) => {
      throw error
    },
  })
  devices.begin(bmc)
  tell({ kind: 'here', hostName: 'lab-1' })
  await clock.advance(0)
  const [entry] = bmc.state.log.values()
  expect(entry).toMatchObject({
    origin: uris.aggregationSource('1'),
    message: { MessageArgs: ['Lab', 'lab-1'] },
  })
  await devices.close()
})
