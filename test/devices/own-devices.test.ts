import { expect, test } from 'vitest'
import type { EmulatorOptions } from '../../src/index.ts'
import type { JsonObject } from '../../src/redfish/resource.ts'
import { uris } from '../../src/redfish/uris.ts'
import { basic } from '../support/emulator.ts'
import { recordingLogger } from '../support/logs.ts'
import { messageKeys } from '../support/multipart.ts'
import { boardFiles, documented, labFiles, SECRET } from '../support/own-devices.ts'
import { startWire, temporaryFolder } from '../support/wire.ts'

const authorization = basic('admin')

/** A console on real sockets, that only reaches what it is given the ways to. */
async function startConsole(options: EmulatorOptions) {
  const { lines, logger } = recordingLogger()
  const wire = await startWire({ console: true, mqtt: '', logger, ...options })
  const post = (path: string, body: JsonObject) =>
    fetch(new URL(path, wire.url), {
      method: 'POST',
      headers: { authorization, 'Content-Type': 'application/json' },
      body: JSON.stringify(body),
    })
  const attach = async (method: string, HostName: string, Password = SECRET) => {
    const Links = { ConnectionMethod: { '@odata.id': uris.connectionMethod(method) } }
    const answer = await post(uris.aggregationSources, { HostName, UserName: 'root', Password, Links })
    return { status: answer.status, json: (await answer.json()) as JsonObject }
  }
  /** Pushes an image to one piece of firmware; to the task at its end. */
  const update = async (id: string, image: string): Promise<JsonObject> => {
    const form = new FormData()
    const parameters = JSON.stringify({ Targets: [uris.firmware(id)] })
    form.append('UpdateParameters', new Blob([parameters], { type: 'application/json' }))
    form.append('UpdateFile', new Blob([image]), 'image.bin')
    const pushed = await fetch(new URL(uris.multipartPush, wire.url), {
      method: 'POST',
      headers: { authorization },
      body: form,
    })
    const { Id } = (await pushed.json()) as { readonly Id: string }
    await expect
      .poll(() => wire.bmc.state.tasks.get(Id)?.endTime, { timeout: 20_000, interval: 20 })
      .toBeDefined()
    return (await wire.get(uris.task(Id))).json
  }
  const versionOf = async (id: string) => (await wire.get(uris.firmware(id))).json['Version']
  return { ...wire, lines, attach, update, versionOf }
}

test('a device is updated through a console by an executable', async () => {
  const deviceCommand = await documented('lab.mjs', labFiles)
  const { get, attach, update, versionOf, lines, spooled } = await startConsole({ deviceCommand })
  expect((await get(uris.connectionMethod('Command'))).json).toMatchObject({
    ConnectionMethodType: 'OEM',
    ConnectionMethodVariant: 'Command',
  })
  expect(await attach('Command', 'lab-1')).toMatchObject({ status: 201 })
  expect((await get(uris.system('1'))).json).toMatchObject({
    Name: 'lab-1',
    Model: 'Lab 1',
    PowerState: 'On',
  })
  expect(await versionOf('1-firmware')).toBe('1.0.0')
  expect(await update('1-firmware', '2.0.0\nand more')).toMatchObject({
    TaskState: 'Completed',
    TaskStatus: 'OK',
    PercentComplete: 100,
  })
  expect(await versionOf('1-firmware')).toBe('2.0.0')
  expect(lines.join()).toContain('takes 14 bytes')
  expect(lines.join()).not.toContain('swordfish')
  await expect.poll(spooled).toEqual([])
})

test('a device says by an executable why it did not take an image', async () => {
  const deviceCommand = await documented('lab.mjs', labFiles)
  const { attach, update, versionOf } = await startConsole({ deviceCommand })
  await attach('Command', 'lab-1')
  const task = await update('1-firmware', 'no version')
  expect(task).toMatchObject({ TaskState: 'Exception' })
  expect(messageKeys(task)).toEqual(expect.arrayContaining(['VerificationFailed', 'DeviceFailed']))
  expect(await versionOf('1-firmware')).toBe('1.0.0')
})

test.each([
  ['is not there', 'nobody', SECRET, 'CouldNotEstablishConnection'],
  ['wants another password', 'lab-1', 'guess', 'ResourceAtUriUnauthorized'],
])('a device that %s is not attached by an executable', async (_what, hostName, password, key) => {
  const deviceCommand = await documented('lab.mjs', labFiles)
  const { attach } = await startConsole({ deviceCommand })
  const { status, json } = await attach('Command', hostName, password)
  // Why follows.
  expect([status, messageKeys(json)[0]]).toEqual([400, key])
})

test('a device is updated through a console by a module', async () => {
  const flasher = await documented('bench.ts', boardFiles)
  const { get, attach, update, versionOf } = await startConsole({ flasher })
  expect((await get(uris.connectionMethod('Bench'))).json).toMatchObject({
    ConnectionMethodType: 'OEM',
    ConnectionMethodVariant: 'Bench',
  })
  expect(await attach('Bench', 'board-1')).toMatchObject({ status: 201 })
  expect(await update('1-firmware', '2.0.0\nand more')).toMatchObject({
    TaskState: 'Completed',
    TaskStatus: 'OK',
  })
  expect(await versionOf('1-firmware')).toBe('2.0.0')
})

test('each way has a name of its own', async () => {
  const deviceCommand = await documented('lab.mjs', labFiles)
  const { get } = await startConsole({ deviceCommand, mqtt: '0' })
  const { Members } = (await get(uris.connectionMethods)).json as { Members: { '@odata.id': string }[] }
  const names = Members.map((one) => one['@odata.id'].split('/').at(-1) ?? '')
  expect(names).toContain('Command')
  for (const name of names) {
    const flasher = await documented('bench.ts', boardFiles, [`'Bench'`, `'${name}'`])
    await expect(startConsole({ flasher })).rejects.toThrow(/its name/)
  }
})

test.each<[string, EmulatorOptions, RegExp]>([
  [
    'an executable that is not there',
    { deviceCommand: '/nowhere/lab' },
    /^deviceCommand \/nowhere\/lab: ENOENT/,
  ],
  ['a module that is not there', { flasher: '/nowhere/mine.ts' }, /^flasher \/nowhere\/mine\.ts: /],
])('a console does not start with %s', async (_what, options, why) => {
  await expect(startConsole({ spool: await temporaryFolder(), ...options })).rejects.toThrow(why)
})
