import { expect, test } from 'vitest'
import { findComponent, machineResource } from '../../src/bmc/bmc.ts'
import { uris } from '../../src/redfish/uris.ts'
import { startEmulator } from '../support/emulator.ts'
import { bundleOf } from '../support/images.ts'
import { messageKeys, push } from '../support/multipart.ts'
import { validateBody, validateError } from '../support/schemas.ts'
import { LONG_MS, logged, messageArgs, outcome, reset, untilInstalled, update } from '../support/updates.ts'

const NIC_1 = uris.firmware('NIC-1')
const SYSTEM = uris.system('1')
const ADAPTER = `${uris.chassis}/1/NetworkAdapters/NIC-1`
const nicImage = await bundleOf({ 'NIC-1': '22.42.1' }, { releaseDate: '2026-02-01T00:00:00Z' })
/** NIC-1 verifies for 2.5 s, then installs for 18 s and activates for 4 s; this little image takes no time to send. */
const DURING_INSTALL_MS = 10_000

test('version, date, status and what shows them change in one commit with the message that says so', async () => {
  const emulator = await startEmulator()
  const { bmc } = emulator
  await push(emulator, nicImage)
  const seen: object[] = []
  bmc.listeners.add(({ components = [], tasks = [], log = [] }) => {
    const now = findComponent(bmc, 'NIC-1')?.now
    if (components.length === 0) return
    const adapter = machineResource(bmc, ADAPTER) as unknown as {
      readonly Controllers: readonly { readonly FirmwarePackageVersion: string }[]
    }
    seen.push({
      version: now?.version,
      releaseDate: now?.releaseDate,
      state: now?.state,
      shown: adapter.Controllers[0]?.FirmwarePackageVersion,
      says: tasks[0]?.[1]?.messages.at(-1)?.MessageId.split('.').at(-1),
      logs: log.length,
    })
  })
  await emulator.clock.advance(LONG_MS)
  const old = {
    version: '22.41.1000',
    releaseDate: '2025-05-20T08:30:00Z',
    state: 'Updating',
    shown: '22.41.1000',
  }
  expect(seen).toEqual([
    ...[
      'TransferringToComponent',
      'VerifyingAtComponent',
      'InstallingOnComponent',
      'ApplyingOnComponent',
    ].map((says) => ({ ...old, says, logs: 0 })),
    {
      version: '22.42.1',
      releaseDate: '2026-02-01T00:00:00Z',
      state: 'Enabled',
      shown: '22.42.1',
      says: 'UpdateSuccessful',
      logs: 1,
    },
  ])
  expect(await logged(emulator)).toEqual(['UpdateSuccessful NIC-1'])
})

test('a component that is worked on is Updating, and its version is the old one until the end', async () => {
  const emulator = await startEmulator()
  await push(emulator, nicImage)
  await emulator.clock.advance(24_400)
  const component = await emulator.get(NIC_1)
  expect(component).toMatchObject({ Version: '22.41.1000', Status: { State: 'Updating', Health: 'OK' } })
  expect(validateBody(component)).toEqual([])
  await emulator.clock.advance(200)
  expect(await emulator.get(NIC_1)).toMatchObject({ Version: '22.42.1', Status: { State: 'Enabled' } })
})

test('one image updates both power supplies side by side', async () => {
  const emulator = await startEmulator()
  await push(emulator, await bundleOf({ 'PSU-1': '1.8.0.0' }))
  // Each takes 1 s to send, 1.5 s to verify, 24 s to install and 6 s to activate.
  await emulator.clock.advance(33_000)
  const { task, keys } = await outcome(emulator, '1')
  expect(task).toMatchObject({ TaskState: 'Completed', TaskStatus: 'OK' })
  expect(keys.filter((key) => key === 'UpdateSuccessful')).toHaveLength(2)
  for (const id of ['PSU-1', 'PSU-2']) {
    expect(await emulator.get(uris.firmware(id))).toMatchObject({ Version: '1.8.0.0' })
    expect(await emulator.get(`${uris.chassis}/1/PowerSubsystem/PowerSupplies/${id}`)).toMatchObject({
      FirmwareVersion: '1.8.0.0',
    })
  }
})

test('different components are updated at the same time by different pushes', async () => {
  const emulator = await startEmulator()
  const pushes = [await push(emulator, nicImage), await push(emulator, await bundleOf({ CPLD: '3.1.0' }))]
  expect(pushes.map(({ status }) => status)).toEqual([202, 202])
  await emulator.clock.advance(30_000)
  expect(await emulator.get(NIC_1)).toMatchObject({ Version: '22.42.1' })
  expect(await emulator.get(uris.firmware('CPLD'))).toMatchObject({ Version: '3.1.0' })
})

test('a component that is being updated takes no second image until it is done', async () => {
  const emulator = await startEmulator()
  await push(emulator, nicImage)
  await emulator.clock.advance(DURING_INSTALL_MS)
  const newer = await bundleOf({ 'NIC-1': '22.43.0', CPLD: '3.1.0' })
  const refused = await push(emulator, newer)
  expect(refused).toMatchObject({ status: 503, headers: { 'retry-after': '5' } })
  expect(messageKeys(refused.json)).toEqual(['ServiceTemporarilyUnavailable', 'ResourceInUse'])
  expect(validateError(refused.json)).toEqual([])
  expect(emulator.spool.entries.size).toBe(1)
  expect(await emulator.get(uris.firmware('CPLD'))).toMatchObject({ Status: { State: 'Enabled' } })

  await emulator.clock.advance(LONG_MS)
  expect((await update(emulator, newer)).task).toMatchObject({ TaskState: 'Completed' })
  expect(await emulator.get(NIC_1)).toMatchObject({ Version: '22.43.0' })
})

test.each([
  [4_194_304, 'Completed', 'OK', 200, '3.1.0'],
  [4_194_305, 'Exception', 'Critical', 500, '3.0.4'],
])('an image of %i bytes for a CPLD that holds 4 MiB: %s', async (...row) => {
  const [sizeBytes, state, status, answer, version] = row
  const emulator = await startEmulator()
  const { task, keys, monitor } = await update(emulator, await bundleOf({ CPLD: '3.1.0' }, { sizeBytes }))
  expect(task).toMatchObject({ TaskState: state, TaskStatus: status })
  expect(monitor).toBe(answer)
  expect(keys.at(-1)).toBe(state === 'Completed' ? 'UpdateSuccessful' : 'TransferFailed')
  const component = await emulator.get(uris.firmware('CPLD'))
  expect(component).toMatchObject({ Version: version, Status: { State: 'Enabled', Health: 'OK' } })
})

test('a device sends at its bandwidth: twice the bytes take twice the time', async () => {
  for (const [mebibytes, doneMs] of [
    [1, 2_000],
    [2, 4_000],
  ] as const) {
    const emulator = await startEmulator()
    await push(emulator, await bundleOf({ CPLD: '3.1.0' }, { sizeBytes: mebibytes * 2 ** 20 }))
    await emulator.clock.advance(doneMs - 1)
    expect(messageKeys(await emulator.get(uris.task('1'))).at(-1)).toBe('TransferringToComponent')
    await emulator.clock.advance(1)
    expect(messageKeys(await emulator.get(uris.task('1'))).at(-1)).toBe('VerifyingAtComponent')
  }
})

test('speed shortens what devices do and nothing else', async () => {
  const emulator = await startEmulator({ speed: 10 })
  await push(emulator, nicImage)
  await emulator.clock.advance(2_440)
  expect(await emulator.get(NIC_1)).toMatchObject({ Status: { State: 'Updating' } })
  await emulator.clock.advance(20)
  expect(await emulator.get(NIC_1)).toMatchObject({ Version: '22.42.1' })
  expect(await emulator.get(uris.task('1'))).toMatchObject({ EndTime: '2026-01-01T00:00:02Z' })
  expect(await emulator.get(uris.taskService)).toMatchObject({ TaskAutoDeleteTimeoutMinutes: 1_440 })
})

test('at speed max an update needs no time at all', async () => {
  const emulator = await startEmulator({ speed: 'max' })
  await push(emulator, nicImage)
  await emulator.clock.advance(1)
  expect(await emulator.get(NIC_1)).toMatchObject({ Version: '22.42.1' })
})

test('a device without the power of its host takes no image', async () => {
  const emulator = await startEmulator()
  await reset(emulator, SYSTEM, 'ForceOff')
  const { task, keys, monitor } = await update(emulator, nicImage)
  expect(task).toMatchObject({ TaskState: 'Exception', TaskStatus: 'Critical' })
  expect({ last: keys.at(-1), monitor }).toEqual({ last: 'TransferFailed', monitor: 500 })
  expect(messageArgs(task, 'TransferFailed')).toEqual(['NIC-1 22.42.1', NIC_1])
  expect(await emulator.get(NIC_1)).toMatchObject({
    Version: '22.41.1000',
    Status: { State: 'Enabled', Health: 'OK' },
  })
  expect(await logged(emulator)).toEqual(['TransferFailed NIC-1'])
})

test('a device on standby power is updated while the host is off', async () => {
  const emulator = await startEmulator()
  await reset(emulator, SYSTEM, 'ForceOff')
  await update(emulator, await bundleOf({ CPLD: '3.1.0' }))
  expect(await emulator.get(uris.firmware('CPLD'))).toMatchObject({ Version: '3.1.0' })
})

test.each(['ForceOff', 'ForceRestart', 'PowerCycle', 'GracefulRestart'])(
  '%s of the host during the installation leaves a device that needs attention, until an update succeeds',
  async (type) => {
    const emulator = await startEmulator()
    await push(emulator, nicImage)
    await emulator.clock.advance(DURING_INSTALL_MS)
    await reset(emulator, SYSTEM, type)
    // A graceful restart lets the host shut down first, which takes 8 s.
    await emulator.clock.advance(8_000)
    const { task, keys, monitor } = await outcome(emulator, '1')
    expect({ keys, monitor }).toEqual({ keys: [...untilInstalled, 'ApplyFailed'], monitor: 500 })
    expect(task).toMatchObject({ TaskState: 'Exception', TaskStatus: 'Critical' })
    expect(await emulator.get(NIC_1)).toMatchObject({
      Version: '22.41.1000',
      Status: { State: 'Enabled', Health: 'Critical' },
    })
    expect(emulator.spool.entries.size).toBe(0)

    await reset(emulator, SYSTEM, 'ForceOn')
    await emulator.clock.advance(LONG_MS)
    expect((await update(emulator, nicImage)).task).toMatchObject({
      TaskState: 'Completed',
      TaskStatus: 'OK',
    })
    expect(await emulator.get(NIC_1)).toMatchObject({ Version: '22.42.1', Status: { Health: 'OK' } })
  },
)
