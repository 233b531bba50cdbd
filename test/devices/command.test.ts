import { createHash } from 'node:crypto'
import { readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import type { DeviceAdapter } from '../../src/devices/device.ts'
import { stages } from '../contracts/device-adapter.ts'
import { FACTS, image, job, labAddress, OK, SECRET, startCommand } from '../support/own-devices.ts'

const never = new AbortController().signal
const sha256 = createHash('sha256').update(image).digest('hex')

/** All stages of an update go well. */
async function updated(adapter: DeviceAdapter): Promise<void> {
  for (const stage of stages) expect(await adapter[stage](job())).toMatchObject({ ok: true })
}

describe('a program', () => {
  test('is called for each thing that is asked, and told by its input what is meant', async () => {
    const { adapter, folder } = await startCommand(`cat > "$1.json"; [ "$1" = look ] && ${FACTS} || ${OK}`)
    const heard = async (name: string): Promise<unknown> =>
      JSON.parse(await readFile(join(folder, `${name}.json`), 'utf8'))
    await adapter.look(labAddress, never)
    await adapter.reset(labAddress, { of: 'manager', type: 'ForceRestart' }, never)
    await updated(adapter)
    const who = { userName: 'root', password: SECRET }
    const what = { ...who, firmwareId: 'BIOS', currentVersion: '1.0.0', version: '2.0.0' }
    const bytes = { sizeBytes: image.byteLength, sha256 }
    expect(await heard('look')).toEqual(who)
    expect(await heard('reset')).toEqual({ ...who, resetOf: 'manager', resetType: 'ForceRestart' })
    expect(await heard('transfer')).toEqual({ ...what, ...bytes, image: expect.stringMatching(/^\//) })
    expect(await heard('verify')).toEqual({ ...what, ...bytes })
    expect(await heard('install')).toEqual({ ...what, ...bytes })
    expect(await heard('activate')).toEqual(what)
  })

  test('gets its target as it is, by no shell, and a secret neither there nor in its environment', async () => {
    vi.stubEnv('REDFLASH_PASSWORD', 'of-the-console')
    onTestFinished(() => void vi.unstubAllEnvs())
    const { adapter, folder } = await startCommand(
      `printf '%s\\n' "$@" > args; tr '\\0' '\\n' < /proc/$$/environ > environment; ${FACTS}`,
    )
    const hostName = `lab 1; touch "hacked" $(touch hacked) && 'x'`
    expect(await adapter.look({ ...labAddress, hostName }, never)).toMatchObject({ ok: true })
    expect(await readFile(join(folder, 'args'), 'utf8')).toBe(`look\n${hostName}\n`)
    const environment = await readFile(join(folder, 'environment'), 'utf8')
    expect(environment).toMatch(/^PATH=/m)
    expect(environment).not.toMatch(/swordfish|of-the-console/)
    await expect(stat(join(folder, 'hacked'))).rejects.toThrow('ENOENT')
  })

  test('need not read what it is told, nor tell more than the least', async () => {
    const { adapter } = await startCommand(FACTS)
    const password = 'x'.repeat(2 ** 20)
    expect(await adapter.look({ ...labAddress, password }, never)).toEqual({
      ok: true,
      value: {
        name: 'lab-1',
        resetTypes: [],
        managerResetTypes: [],
        firmware: [{ id: 'BIOS', name: 'BIOS', version: '1.0.0', updateable: true, of: 'system' }],
      },
    })
  })

  test('says how far it is, and which version runs', async () => {
    const { adapter } = await startCommand(`
      for share in 0 0.25 0.5 0.25; do echo "{\\"progress\\":$share}"; done
      if [ "$1" = activate ]; then echo '{"ok":true,"version":"2.0.1"}'; else ${OK}; fi`)
    const watched = job()
    await adapter.transfer(watched)
    expect(watched.shares).toEqual([0.25, 0.5, 1])
    expect(await adapter.activate(watched)).toEqual({ ok: true, value: { version: '2.0.1' } })
  })

  test('is heard by people, but for secrets, and not for ever', async () => {
    const { adapter, said } = await startCommand(`
      echo "logs in with ${SECRET.replaceAll('"', '\\"')}" >&2
      cat >&2
      echo '{"message":"knows swordfish \\"7\\", too"}'
      ${FACTS}`)
    await adapter.look(labAddress, never)
    const texts = said.map(({ text }) => text)
    expect(texts).toContain('logs in with ******')
    expect(texts).toContain('knows ******, too')
    expect(texts).toContain('{"userName":"root","password":"******"}')
    expect(said[0]).toMatchObject({ operation: 'look', target: 'lab-1' })
    const talker = await startCommand(`seq 1000 >&2; ${FACTS}`)
    await talker.adapter.look(labAddress, never)
    expect(talker.said).toHaveLength(101)
    const short = { ...labAddress, password: 's' }
    const curt = await startCommand(`echo "says s, \\"s\\" and yes" >&2; exit 3`)
    const detail = 'it has not said how it ended; its exit code was 3'
    expect(await curt.adapter.look(short, never)).toEqual({ ok: false, problem: { kind: 'failed', detail } })
    expect(curt.said.map(({ text }) => text)).toEqual(['says ******, "******" and yes', `failed: ${detail}`])
    const rambler = await startCommand(`printf '%09000d' 7 >&2; ${FACTS}`)
    await rambler.adapter.look(labAddress, never)
    expect(rambler.said.map(({ text }) => text.length)).toEqual([501])
  })
})

describe('an image', () => {
  test('is a file for the program alone, whole, and gone afterwards', async () => {
    const { adapter, folder, open } = await startCommand(`
      path=$(sed 's/.*"image":"\\([^"]*\\)".*/\\1/')
      [ "$1" = transfer ] && stat -c %a "$path" "$(dirname "$path")" > modes && cp "$path" copy && echo "$path" > path
      ${OK}`)
    expect(await adapter.transfer(job())).toMatchObject({ ok: true })
    expect(await readFile(join(folder, 'modes'), 'utf8')).toBe('600\n700\n')
    expect(image.equals(await readFile(join(folder, 'copy')))).toBe(true)
    const path = (await readFile(join(folder, 'path'), 'utf8')).trim()
    await expect(stat(path)).rejects.toThrow('ENOENT')
    expect(await open()).toEqual([])
    await adapter.close()
    await expect(stat(dirname(path))).rejects.toThrow('ENOENT')
  })

  test('is written as it comes', async () => {
    const sizes: number[] = []
    const { adapter, parent } = await startCommand(OK)
    const whole = job()
    const read = async function* (): AsyncIterable<Uint8Array> {
      for (let at = 0; at < image.byteLength; at += 20_000) {
        yield image.subarray(at, at + 20_000)
        const names = await readdir(parent, { recursive: true })
        const file = names.find((name) => /[\da-f]{12}$/.test(name)) ?? ''
        sizes.push((await stat(join(parent, file))).size)
      }
    }
    expect(await adapter.transfer({ ...whole, image: { ...whole.image, read } })).toMatchObject({ ok: true })
    expect(sizes).toEqual([20_000, 40_000, 60_000, 80_000, 100_000])
  })

  test.each([
    ['fails', `echo '{"ok":false,"kind":"busy","detail":"not now"}'`],
    ['says nothing', 'exit 3'],
    ['says nonsense', 'echo nonsense'],
    ['is killed', 'kill -9 $$'],
  ])('is gone where the program %s, and nothing is installed', async (_what, text) => {
    const { adapter, open } = await startCommand(text)
    expect(await adapter.transfer(job())).toMatchObject({ problem: { kind: 'failed' } })
    expect(await open()).toEqual([])
    expect(await adapter.verify(job())).toMatchObject({ problem: { kind: 'corrupt' } })
    expect(await adapter.install(job())).toMatchObject({ problem: { kind: 'nothing-installed' } })
  })

  test('that the disk does not take is a problem, and no program is called', async () => {
    const full = Object.assign(new Error('no space left'), { code: 'ENOSPC' })
    const images = { open: () => Promise.reject(full), remove: async () => {} }
    const { adapter, said } = await startCommand('echo called >&2', { images })
    const result = await adapter.transfer(job())
    expect(JSON.stringify(result)).toContain('ENOSPC')
    expect(result).toMatchObject({ problem: { kind: 'failed' } })
    expect(said).toEqual([])
  })

  test('is not what an earlier one was, where it was not taken', async () => {
    const { adapter, folder } = await startCommand(`[ -e full ] && exit 1; ${OK}`)
    expect(await adapter.transfer(job())).toMatchObject({ ok: true })
    await writeFile(join(folder, 'full'), '')
    expect(await adapter.transfer(job())).toMatchObject({ ok: false })
    await rm(join(folder, 'full'))
    expect(await adapter.verify(job())).toMatchObject({ problem: { kind: 'corrupt' } })
  })

  test('that does not pass is not installed', async () => {
    const { adapter } = await startCommand(
      `[ "$1" = verify ] && echo '{"ok":false,"kind":"corrupt","detail":"another digest"}' || ${OK}`,
    )
    expect(await adapter.transfer(job())).toMatchObject({ ok: true })
    expect(await adapter.verify(job())).toEqual({ ok: false, problem: { kind: 'corrupt' } })
    expect(await adapter.install(job())).toMatchObject({ problem: { kind: 'nothing-installed' } })
  })
})

describe('a failure', () => {
  const failing = (kind: string) =>
    startCommand(`echo '{"ok":false,"kind":"${kind}","detail":"because of swordfish \\"7\\""}'`)

  test.each([
    ['unreachable', 'unreachable'],
    ['untrusted', 'untrusted'],
    ['unauthorized', 'unauthorized'],
    ['unsupported', 'unsupported'],
    ['busy', 'busy'],
    ['failed', 'failed'],
    ['corrupt', 'failed'],
  ])('%s of a device is %s', async (kind, told) => {
    const { adapter } = await failing(kind)
    const expected = { ok: false, problem: { kind: told, detail: 'because of ******' } }
    expect(await adapter.look(labAddress, never)).toEqual(expected)
    expect(await adapter.reset(labAddress, { of: 'system', type: 'On' }, never)).toEqual(expected)
  })

  test.each(['corrupt', 'no-power', 'nothing-installed'])('%s of a stage is just that', async (kind) => {
    const { adapter, said } = await failing(kind)
    expect(await adapter.activate(job())).toEqual({ ok: false, problem: { kind } })
    expect(said.map(({ text }) => text)).toEqual([`${kind}: because of ******`])
  })

  test.each(['failed', 'unreachable', 'busy'])('%s of a stage tells why', async (kind) => {
    const { adapter } = await failing(kind)
    const { component } = job()
    expect(await adapter.activate(job())).toMatchObject({
      problem: {
        kind: 'failed',
        why: [
          {
            MessageId: expect.stringMatching(/^Redflash\.[\d.]+\.DeviceFailed$/),
            MessageArgs: [component.uri, 'because of ******'],
          },
        ],
      },
    })
  })
})
