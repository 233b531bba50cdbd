import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { loadUserModule } from '../../src/console/user-module.ts'
import { systemClock } from '../../src/lib/clock.ts'
import { deviceJob, stages } from '../contracts/device-adapter.ts'
import { boardFiles, documented, job as labJob, labAddress } from '../support/own-devices.ts'
import { hurried } from '../support/redfish-peer.ts'
import { temporaryFolder } from '../support/wire.ts'

const never = new AbortController().signal
const others = ['Redfish']
const REST = ['reset', 'transfer', 'verify', 'install', 'activate', 'release', 'close']
  .map((name) => `async ${name}() {}`)
  .join(',')

/** A stage that failed, with a reason like this. */
const failed = (detail: string | RegExp) => ({
  problem: { kind: 'failed', why: [{ MessageArgs: [expect.any(String), expect.stringMatching(detail)] }] },
})

/** What comes of loading a module of this text. */
async function load(text: string, name = 'mine.mjs') {
  const path = join(await temporaryFolder(), name)
  await writeFile(path, text)
  return loadUserModule(path, { clock: systemClock, others })
}

describe('a module', () => {
  test('reaches devices, as the documented one does', async () => {
    const path = await documented('bench.ts', boardFiles)
    const { adapter, ...about } = await loadUserModule(path, { clock: hurried, others })
    expect(about).toEqual({ id: 'Bench', type: 'OEM', variant: 'Bench' })
    const device = { ...labAddress, hostName: 'board-1' }
    const looked = await adapter.look(device, never)
    const [firmware] = looked.ok ? looked.value.firmware : []
    if (firmware === undefined) throw new Error(JSON.stringify(looked))
    expect(firmware).toMatchObject({ id: 'firmware', version: '1.0.0' })
    const job = deviceJob(device, firmware, { image: Buffer.from('2.0.0\nrest'), version: '2.0.0' })
    for (const stage of stages) expect(await adapter[stage](job)).toMatchObject({ ok: true })
    expect(job.shares).toEqual([1, 1, 0.25, 0.5, 0.75, 1, 1])
    expect(await adapter.look(device, never)).toMatchObject({ value: { firmware: [{ version: '2.0.0' }] } })
    expect(await adapter.look(labAddress, never)).toMatchObject({ problem: { kind: 'unreachable' } })
  })

  test('is called as its file, unless it has a name', async () => {
    const text = `export default () => ({ async look() {}, ${REST} })`
    expect(await load(text, 'my-lab.mjs')).toMatchObject({ id: 'my-lab', variant: 'my-lab' })
    expect(await load(`${text}\nexport const name = 'Lab.7'`)).toMatchObject({ id: 'Lab.7' })
  })

  test('is given the time, and may take some to make what may be of a class', async () => {
    const { adapter } = await load(`
      class Adapter {
        #clock
        constructor(clock) { this.#clock = clock }
        async look() { return { ok: false, problem: { kind: 'busy', detail: typeof this.#clock.sleep } } }
        ${REST.replaceAll(',', ';')}
      }
      export default async ({ clock }) => new Adapter(clock)`)
    expect(await adapter.look(labAddress, never)).toMatchObject({ problem: { detail: 'function' } })
  })

  test('tells places and has abilities, of which those that it lacks are what its devices cannot do', async () => {
    const facts = `{ name: 'a', firmware: [{ id: 'a', version: '1', standsBy: ['0'] }], abilities: ['log'] }`
    const { adapter } = await load(`export default () => ({
      async look({ hostName }) {
        const value = { ...${facts}, ...(hostName === 'waking' && { abilities: ['log', 'wake'] }) }
        return { ok: true, value }
      },
      placeOf: (hostName) => hostName === 'nowhere' ? undefined : hostName.toLowerCase(),
      abilities: {
        async readLog({ hostName }) {
          return { ok: true, value: [{ time: hostName === 'early' ? -1 : 0, severity: 'OK', text: 'on' }] }
        },
      },
      ${REST} })`)
    expect([adapter.placeOf?.('A'), adapter.placeOf?.('nowhere')]).toEqual(['a', undefined])
    const of = (hostName: string) => ({ ...labAddress, hostName })
    expect(await adapter.look(of('a'), never)).toMatchObject({
      value: { abilities: ['log'], firmware: [{ standsBy: ['0'] }] },
    })
    expect(await adapter.look(of('waking'), never)).toMatchObject({
      problem: { kind: 'failed', detail: '/abilities: nothing is there for wake' },
    })
    const can = adapter.abilities
    expect(await can?.readLog(of('a'), never)).toMatchObject({ value: [{ text: 'on' }] })
    expect(await can?.readLog(of('early'), never)).toMatchObject({ problem: { kind: 'failed' } })
    expect(await can?.wakeAt(of('a'), 0, never)).toMatchObject({ problem: { kind: 'unsupported' } })
  })

  test.each([
    ['an Id for no URI', `{ id: 'a/b', version: '1' }`, /\/firmware\/0\/id/],
    ['no version', `{ id: 'a' }`, /\/firmware\/0\/version/],
  ])('is judged by what it says of devices: %s', async (_what, firmware, detail) => {
    const { adapter } = await load(`export default () => ({
      async look() { return { ok: true, value: { name: 'a', firmware: [${firmware}] } } }, ${REST} })`)
    expect(await adapter.look(labAddress, never)).toEqual({
      ok: false,
      problem: { kind: 'failed', detail: expect.stringMatching(detail) },
    })
  })

  test.each<readonly [string, (typeof stages)[number], string, object]>([
    ['nothing', 'verify', '', failed('verify: it answers undefined')],
    ['neither yes nor no', 'install', 'return { ok: 1 }', failed('install: /ok: expected true or false')],
    ['a problem of no kind', 'transfer', `return { ok: false, problem: { kind: 'odd' } }`, failed(/kind/)],
    ['no problem', 'transfer', 'return { ok: false }', failed(/^transfer: \/problem/)],
    ['no size', 'transfer', `return { ok: false, problem: { kind: 'too-large' } }`, failed(/capacityBytes/)],
    ['a version that is none', 'activate', 'return { ok: true, value: { version: 7 } }', failed(/version/)],
    ['what is no text', 'activate', `return { ok: true, value: { version: '\\0' } }`, failed(/version/)],
    ['an error', 'install', `throw new Error('disk full')`, failed('install: disk full')],
    ['a rejection with nothing', 'install', 'return Promise.reject()', failed(/it rejects with undefined/)],
    [
      'a known kind',
      'verify',
      `return { ok: false, problem: { kind: 'corrupt' } }`,
      { problem: { kind: 'corrupt' } },
    ],
    [
      'a size',
      'transfer',
      `return { ok: false, problem: { kind: 'too-large', capacityBytes: 7 } }`,
      { problem: { kind: 'too-large', capacityBytes: 7 } },
    ],
    ['a version', 'activate', `return { ok: true, value: { version: '2' } }`, { value: { version: '2' } }],
  ])('is judged by what it says of a stage: %s', async (_what, stage, body, expected) => {
    const { adapter } = await load(`export default () => ({
      async look() {}, ${REST.replace(`async ${stage}() {}`, `async ${stage}() { ${body} }`)} })`)
    expect(await adapter[stage](labJob())).toMatchObject(expected)
  })

  test('that is told to end rejects with the reason, whatever it throws', async () => {
    const { adapter } = await load(`export default () => ({
      async look() {}, ${REST.replace('async install() {}', `async install() { throw new Error('mine') }`)} })`)
    const signal = AbortSignal.abort(new Error('not wanted'))
    await expect(adapter.install(labJob({ signal }))).rejects.toThrow('not wanted')
  })

  test.each([
    ['is not there', '', /Cannot find module|Failed to load/, '/nowhere/mine.mjs'],
    ['does not parse', 'export default (', /mine\.mjs: ./],
    ['exports nothing', '', /its default export is no function/],
    ['exports what is no function', 'export default {}', /its default export is no function/],
    ['makes nothing', 'export default () => {}', /lacks look, reset, transfer, verify, install, activate/],
    [
      'makes too little',
      `export default () => ({ ${REST.replace('async verify() {},', '')} })`,
      /lacks look, verify$/,
    ],
    ['fails', `export default () => { throw new Error('no bench') }`, /mine\.mjs: no bench$/],
    ['has a name for no URI', `export const name = 'a/b'\nexport default () => {}`, /its name/],
    [
      'has a name that is taken',
      `export const name = 'Redfish'\nexport default () => {}`,
      /its name .*Redfish/,
    ],
    ['has two mistakes', 'export const name = 7', /no function; its name/],
  ])('that %s is refused, with the reason', async (_what, text, reason, file?: string) => {
    const loading = file === undefined ? load(text) : loadUserModule(file, { clock: systemClock, others })
    await expect(loading).rejects.toThrow(reason)
    await expect(loading).rejects.toThrow(/^flasher .*mine\.mjs: /)
  })
})
