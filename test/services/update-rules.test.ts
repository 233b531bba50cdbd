import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { createApp } from '../../src/app.ts'
import { createAccount } from '../../src/bmc/accounts.ts'
import { createBmc } from '../../src/bmc/bmc.ts'
import { underRules } from '../../src/bmc/machine.ts'
import { loadMachine, loadProfile, machineNames, profileNames } from '../../src/bmc/mockup-folder.ts'
import { ordinaryRules } from '../../src/bmc/update-rules.ts'
import { createMemorySpool } from '../../src/image/spool/memory-spool.ts'
import { VirtualClock } from '../../src/lib/clock.ts'
import type { JsonObject } from '../../src/redfish/resource.ts'
import { uris } from '../../src/redfish/uris.ts'
import { basic, PASSWORD } from '../support/emulator.ts'
import { bundleOf } from '../support/images.ts'
import { multipartBody, pushParts } from '../support/multipart.ts'
import { startPushing } from '../support/pushing.ts'

const mockups = join(import.meta.dirname, '../../mockups')

/** A copy of `rackmount` whose machine.json has these members, too. */
function machineWith(members: JsonObject): string {
  const folder = mkdtempSync(join(tmpdir(), 'redflash-rules-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  cpSync(join(mockups, 'rackmount'), folder, { recursive: true })
  const file = join(folder, 'machine.json')
  const data = JSON.parse(readFileSync(file, 'utf8')) as JsonObject
  writeFileSync(file, JSON.stringify({ ...data, ...members }))
  return folder
}

describe('a profile', () => {
  test('is a file of mockups/profiles, and all of them are known', () => {
    expect(readdirSync(join(mockups, 'profiles'))).toEqual(profileNames.map((name) => `${name}.json`))
  })

  test.each(profileNames.flatMap((name) => machineNames.map((machine) => [name, machine] as const)))(
    '%s can be put over %s',
    (name, machine) => {
      const rules = loadProfile(name)
      const made = underRules(loadMachine(machine), rules)
      expect(made.updateRules).toMatchObject({ pushUri: rules.pushUri, applyTimes: rules.applyTimes })
    },
  )

  test('may be named by a machine, whose own rules go before it', () => {
    const { updateRules, components } = loadMachine(
      machineWith({ profile: 'lenovo-xcc3', updateRules: { maxTargets: 3, onlyWhenNamed: ['NIC-2'] } }),
    )
    expect(updateRules).toMatchObject({ pushUri: '/redfish/v1/UpdateService/update', maxTargets: 3 })
    expect(components.get('NIC-2')?.behaviour.onlyWhenNamed).toBe(true)
    expect(components.get('NIC-1')?.behaviour.onlyWhenNamed).toBeUndefined()
  })

  test('that is not there is told by its name, and what would be right', async () => {
    expect(() => loadMachine(machineWith({ profile: 'acme-1' }))).toThrow(/acme-1.*lenovo-xcc3/)
    await expect(startPushing({ profile: '../rackmount/machine' })).rejects.toThrow(/no profile called/)
  })

  test('of the configuration is put over the machine, and an image is pushed where it says', async () => {
    const { push, versionOf, bmc } = await startPushing({ profile: 'lenovo-xcc3' })
    expect(await push(await bundleOf({ 'NIC-1': '99.9.9' }))).toMatchObject({ isGood: true })
    expect(await versionOf('NIC-1')).toBe('99.9.9')
    expect(bmc.state.tasks.get('1')?.payload.targetUri).toBe('/redfish/v1/UpdateService/update')
  })
})

describe('rules', () => {
  test.each<[string, JsonObject]>([
    ['/updateRules/colour', { colour: 'red' }],
    ['/updateRules/pushUri', { pushUri: 'update' }],
    ['/updateRules/rawPushUri', { rawPushUri: '/a?b' }],
    ['/updateRules/maxTargets', { maxTargets: -1 }],
    ['/updateRules/applyTimes', { applyTimes: [] }],
    ['/updateRules/applyTimes/0', { applyTimes: ['Whenever'] }],
    ['/updateRules/bundlesIgnoreTargets', { bundlesIgnoreTargets: 'yes' }],
  ])('that are wrong are told by their place: %s', (pointer, updateRules) => {
    expect(() => loadMachine(machineWith({ updateRules }))).toThrow(`  ${pointer}: `)
  })

  test('with one URI for two ways to push are told so', () => {
    expect(() => loadMachine(machineWith({ updateRules: { pushUri: uris.rawPush } }))).toThrow(
      /share the URI/,
    )
  })

  test('are those of each BMC: a URI is what it is there, or nothing', async () => {
    const account = await createAccount('admin', PASSWORD)
    const accounts = new Map([[account.id, account]])
    const rackmount = loadMachine('rackmount')
    const machines = [rackmount, underRules(rackmount, loadProfile('lenovo-xcc3'))]
    const [ordinary = ordinaryRules, xcc3 = ordinaryRules] = machines.map(({ updateRules }) => updateRules)
    const bmcs = machines.map((machine, at) => createBmc(String(at), machine, accounts))
    const clock = new VirtualClock()
    const { fastify } = createApp({
      clock,
      spool: createMemorySpool(),
      maxImageBytes: 2 ** 20,
      stallMs: 60_000,
      monitorEnding: 'response',
      pageSize: 0,
      updateRules: [ordinary, xcc3],
      resolveBmc: ({ headers }) => {
        const bmc = bmcs[Number(headers['x-bmc'])]
        if (bmc === undefined) throw new Error('no such BMC')
        return bmc
      },
    })
    onTestFinished(() => fastify.close())
    const { headers, body } = multipartBody(pushParts(await bundleOf({ 'NIC-1': '99.9.9' })))
    const statusOf = async (url: string, bmc: number, method: 'GET' | 'POST' = 'POST') => {
      const sent = { ...headers, authorization: basic('admin'), 'x-bmc': String(bmc) }
      const { statusCode } = await fastify.inject({ method, url, headers: sent, payload: body })
      await clock.advance(600_000)
      return statusCode
    }
    expect([await statusOf(ordinary.pushUri, 0), await statusOf(xcc3.pushUri, 1)]).toEqual([202, 202])
    expect(bmcs.map(({ state }) => state.components.get('NIC-1')?.version)).toEqual(['99.9.9', '99.9.9'])
    expect(ordinary.rawPushUri).toBe(xcc3.pushUri)
    for (const [url, bmc] of [
      [ordinary.pushUri, 1],
      [xcc3.rawPushUri, 0],
    ] as const)
      for (const method of ['GET', 'POST'] as const) expect(await statusOf(url, bmc, method)).toBe(404)
    expect(await statusOf(ordinary.pushUri, 0, 'GET')).toBe(405)
  })
})

describe('settings', () => {
  test.each([
    [{}, { awaitReset: 'job', startUpdate: 'own-task' }],
    [{ awaitReset: 'pending' }, { awaitReset: 'pending', startUpdate: 'own-task' }],
    [{ startUpdate: 'waiting-tasks' }, { awaitReset: 'job', startUpdate: 'waiting-tasks' }],
  ] as const)('%j adapt the machine', async (options, expected) => {
    const { bmc } = await startPushing(options)
    expect(bmc.machine).toMatchObject(expected)
  })

  test('that leave the machine as it is do so', async () => {
    const machine = machineWith({ awaitReset: 'completed', startUpdate: 'waiting-tasks' })
    const { bmc } = await startPushing({ machine })
    expect(bmc.machine).toMatchObject({ awaitReset: 'completed', startUpdate: 'waiting-tasks' })
  })
})
