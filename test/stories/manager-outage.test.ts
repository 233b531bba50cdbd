import { expect, test } from 'vitest'
import { uris } from '../../src/redfish/uris.ts'
import { PASSWORD, startEmulator, type TestEmulator } from '../support/emulator.ts'
import { bundleOf } from '../support/images.ts'
import { messageKeys, push } from '../support/multipart.ts'
import { validateError } from '../support/schemas.ts'
import { LONG_MS, logged, messageArgs, outcome, reset, update } from '../support/updates.ts'

const ENCLOSURE = uris.manager('EnclosureManager')
const BLADE = uris.manager('Blade1BMC')
/** bladed's managers boot for a minute; their firmware is activated after that, before they are back. */
const BOOT_MS = 60_000

async function startBladed() {
  const emulator = await startEmulator({ machine: 'bladed' })
  const { components } = emulator.bmc.machine
  const bundle = (id: string, version: string): Promise<Buffer> =>
    bundleOf({ [id]: version }, { softwareId: components.get(id)?.softwareId ?? '' })
  return { ...emulator, bundle }
}

async function login({ send }: TestEmulator) {
  const body = { UserName: 'admin', Password: PASSWORD }
  const { headers } = await send(uris.sessions, { method: 'POST', user: null, body })
  return { user: null, headers: { 'x-auth-token': String(headers['x-auth-token']) } } as const
}

test('while the manager that serves Redfish boots, every answer is 503, and afterwards it is there again', async () => {
  const { send, clock } = await startBladed()
  const action = uris.action(ENCLOSURE, 'Manager.Reset')
  const answer = await send(action, { method: 'POST', body: { ResetType: 'ForceRestart' } })
  expect(answer.status).toBe(204)
  for (const wait of [0, BOOT_MS - 1]) {
    await clock.advance(wait)
    for (const uri of [uris.root, uris.metadata, uris.updateService, '/elsewhere']) {
      const refused = await send(uri)
      expect({ uri, status: refused.status }).toEqual({ uri, status: 503 })
      expect(refused.headers).toMatchObject({ 'retry-after': '5', 'odata-version': '4.0' })
      expect(messageKeys(refused.json)).toEqual(['ServiceTemporarilyUnavailable'])
      expect(validateError(refused.json)).toEqual([])
    }
  }
  await clock.advance(1)
  expect((await send(uris.updateService)).status).toBe(200)
})

test('a push to a manager that boots is 503 and leaves nothing behind', async () => {
  const emulator = await startBladed()
  await reset(emulator, ENCLOSURE)
  expect((await push(emulator, await emulator.bundle('PSU-1', '99.0.0.0'))).status).toBe(503)
  expect(emulator.spool.entries.size).toBe(0)
})

test('after a boot the sessions are gone and the tasks are still there', async () => {
  const emulator = await startBladed()
  const session = await login(emulator)
  await update(emulator, await emulator.bundle('PSU-1', '99.0.0.0'))
  expect((await emulator.send(uris.updateService, session)).status).toBe(200)
  await reset(emulator, ENCLOSURE, 'GracefulRestart')
  await emulator.clock.advance(BOOT_MS)
  const late = await emulator.send(uris.updateService, session)
  expect(late.status).toBe(401)
  expect(messageKeys(late.json)).toEqual(['NoValidSession'])
  expect(await emulator.get(uris.sessions)).toMatchObject({ 'Members@odata.count': 0 })
  expect((await outcome(emulator, '1')).task).toMatchObject({ TaskState: 'Completed' })
  expect((await logged(emulator))[0]).toMatch(/^UpdateSuccessful PSU-\d$/)
  expect((await emulator.send(uris.updateService, await login(emulator))).status).toBe(200)
})

test('new firmware of the serving manager is activated before it is back', async () => {
  const emulator = await startBladed()
  const { task } = await update(emulator, await emulator.bundle('EnclosureManager', '4.3.0'))
  expect(messageArgs(task, 'ResetRequired')).toEqual([
    uris.action(ENCLOSURE, 'Manager.Reset'),
    'GracefulRestart',
  ])
  await reset(emulator, ENCLOSURE, 'GracefulRestart')
  await emulator.clock.advance(BOOT_MS + 4_900)
  expect((await emulator.send(ENCLOSURE)).status).toBe(503)
  await emulator.clock.advance(200)
  expect(await emulator.get(ENCLOSURE)).toMatchObject({
    FirmwareVersion: '4.3.0',
    Status: { State: 'Enabled' },
  })
})

test('an update that runs when the serving manager is reset is lost, its component is not', async () => {
  const emulator = await startBladed()
  const { softwareId = '' } = emulator.bmc.machine.components.get('EnclosureManager') ?? {}
  const large = await bundleOf({ EnclosureManager: '4.3.0' }, { softwareId, sizeBytes: 40 * 2 ** 20 })
  await push(emulator, large)
  await emulator.clock.advance(1_000)
  await reset(emulator, ENCLOSURE)
  await emulator.clock.advance(BOOT_MS)
  const { task, keys, monitor } = await outcome(emulator, '1')
  expect(task).toMatchObject({ TaskState: 'Exception', TaskStatus: 'Critical' })
  expect({ last: keys.at(-1), monitor }).toEqual({ last: 'TransferFailed', monitor: 500 })
  expect(await emulator.get(uris.firmware('EnclosureManager'))).toMatchObject({
    Version: '4.2.0',
    Status: { State: 'Enabled', Health: 'OK' },
  })
  expect(emulator.spool.entries.size).toBe(0)
})

test('the BMC of one blade is updated and reset without anybody noticing elsewhere', async () => {
  const emulator = await startBladed()
  const session = await login(emulator)
  const image = await emulator.bundle('Blade1-BMC', '1.10.0')
  const { task } = await update(emulator, image, { Targets: [BLADE] })
  expect(messageArgs(task, 'ResetRequired')).toEqual([uris.action(BLADE, 'Manager.Reset'), 'GracefulRestart'])
  await reset(emulator, BLADE, 'GracefulRestart')
  expect(await emulator.send(BLADE, session)).toMatchObject({
    status: 200,
    json: { FirmwareVersion: '1.9.2', Status: { State: 'Starting' } },
  })
  await emulator.clock.advance(LONG_MS)
  expect(await emulator.send(BLADE, session)).toMatchObject({
    status: 200,
    json: { FirmwareVersion: '1.10.0', Status: { State: 'Enabled', Health: 'OK' } },
  })
  expect(await emulator.get(uris.firmware('Blade1-BMC'))).toMatchObject({ Version: '1.10.0' })
  expect(await emulator.get(uris.manager('Blade2BMC'))).toMatchObject({ FirmwareVersion: '1.9.2' })
  expect((await logged(emulator)).at(-1)).toBe('UpdateSuccessful Blade1-BMC')
})

test('one image for the BMCs of all blades waits on each for its own reset', async () => {
  const emulator = await startBladed()
  await update(emulator, await emulator.bundle('Blade1-BMC', '1.10.0'))
  await reset(emulator, uris.manager('Blade3BMC'))
  await emulator.clock.advance(LONG_MS)
  const versions = [1, 2, 3, 4].map(
    async (blade) => (await emulator.get(uris.manager(`Blade${blade}BMC`)))['FirmwareVersion'],
  )
  expect(await Promise.all(versions)).toEqual(['1.9.2', '1.9.2', '1.10.0', '1.9.0'])
})

test('a reset of the BMC that is being written to spoils what is written, and nothing of the other blades', async () => {
  const emulator = await startBladed()
  const Targets = [uris.firmware('Blade1-BMC'), uris.firmware('Blade2-BMC')]
  await push(emulator, await emulator.bundle('Blade1-BMC', '1.10.0'), { Targets })
  await emulator.clock.advance(10_000)
  await reset(emulator, BLADE, 'ForceRestart')
  await emulator.clock.advance(LONG_MS)
  const { task, keys, monitor } = await outcome(emulator, '1')
  expect(task).toMatchObject({ TaskState: 'Exception', TaskStatus: 'Critical' })
  expect(monitor).toBe(200)
  expect(keys).toEqual(expect.arrayContaining(['ApplyFailed', 'AwaitToActivate']))
  expect(messageArgs(task, 'ApplyFailed')?.[1]).toBe(Targets[0])
  expect(messageArgs(task, 'AwaitToActivate')?.[1]).toBe(Targets[1])
  expect(await emulator.get(uris.firmware('Blade1-BMC'))).toMatchObject({
    Version: '1.9.2',
    Status: { Health: 'Critical' },
  })
})
