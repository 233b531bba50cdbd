import { buffer } from 'node:stream/consumers'
import { describe, expect, test } from 'vitest'
import { createBootFetcher } from '../../src/devices/amt/simulated/boot-fetcher.ts'
import type { Fault } from '../../src/devices/amt/simulated/update.ts'
import type { FlashResult } from '../../src/devices/flasher.ts'
import type { ImageOrder } from '../../src/image/build/builder.ts'
import { buildBundle } from '../../src/image/build/bundle.ts'
import { capsuleBuilder } from '../../src/image/build/capsule.ts'
import { pldmBuilder } from '../../src/image/build/pldm.ts'
import { stages } from '../contracts/device-adapter.ts'
import { rejection } from '../contracts/flasher.ts'
import { bundle, guids, type Id, LONG_MS, newer, orders, start } from '../support/amt-updates.ts'
import { never, startMachine } from '../support/amt-machine.ts'
import { factory } from '../support/amt-peer.ts'
import { certificateFor, createAuthority } from '../support/authority.ts'

/** The reasons that are told for a failure. */
function whyOf(result: FlashResult): string[] {
  if (result.ok) return ['ok']
  return result.problem.kind === 'failed'
    ? (result.problem.why ?? []).map(({ MessageId }) => MessageId.replace(/\.\d.*\./, '.'))
    : [result.problem.kind]
}

describe('an update of a machine', () => {
  const build = (make: { build: (order: ImageOrder) => AsyncIterable<Uint8Array> }, id: Id) => async () =>
    buffer(make.build({ components: [orders[id]] }))

  test.each([
    ['BIOS', 'a bundle', () => bundle('BIOS')],
    ['CSME', 'a bundle', () => bundle('CSME')],
    ['BIOS', 'a PLDM package', build(pldmBuilder, 'BIOS')],
    ['CSME', 'a PLDM package', build(pldmBuilder, 'CSME')],
  ] as const)('brings its %s from %s', async (id, _what, make) => {
    const { jobFor, run, versionOf, publisher, events } = await start()
    const before = await versionOf(id)
    expect(before).not.toBe(newer[id])
    expect(await run(await jobFor(id, await make()), ...stages)).toEqual({ ok: true, value: undefined })
    expect(await versionOf(id)).toBe(newer[id])
    const other = id === 'BIOS' ? 'CSME' : 'BIOS'
    expect(await versionOf(other)).toBe(factory[other === 'BIOS' ? 'bios' : 'csme'])
    expect(publisher.asked).toHaveLength(1)
    expect(publisher.published()).toBe(0)
    expect(events()).toEqual(['bootOptions', 'reset', ...(id === 'CSME' ? ['updateStarted'] : [])])
  })

  test('takes the part of a capsule by its type', async () => {
    const softwareIds = { bios: [guids.BIOS], csme: [guids.CSME] }
    const { jobFor, run, versionOf } = await start({ softwareIds })
    const image = await buffer(capsuleBuilder.build({ components: [orders.BIOS] }))
    await run(await jobFor('BIOS', image), 'transfer', 'verify', 'install')
    expect(await versionOf('BIOS')).not.toBe(factory.bios)
  })

  test('tells how much of the image it has fetched', async () => {
    const { jobFor, run, clock, adapter, publisher } = await start()
    const gate = Promise.withResolvers<void>()
    const job = await jobFor('BIOS', await bundle('BIOS'))
    const read = async function* () {
      for await (const chunk of job.package.read()) {
        yield chunk
        if (job.shares.length === 0) await gate.promise
      }
    }
    const held = { ...job, package: { ...job.package, read } }
    await run(held, 'transfer', 'verify')
    job.shares.length = 0
    const done = adapter.install(held)
    // While the machine fetches, real bytes are under way: the clock waits for them.
    const moved = clock.advance(LONG_MS)
    await expect.poll(() => publisher.asked.length).toBe(1)
    gate.resolve()
    await moved
    expect(await done).toEqual({ ok: true, value: undefined })
    expect(job.shares[0]).toBe(0.05)
    expect(job.shares.at(-2)).toBe(0.5)
    expect(job.shares.at(-1)).toBe(1)
  })

  test('switches a machine on that is off', async () => {
    const { jobFor, run, versionOf, events } = await start({ isOn: false })
    expect(await run(await jobFor('BIOS', await bundle('BIOS')), ...stages)).toMatchObject({ ok: true })
    expect(await versionOf('BIOS')).toBe(newer.BIOS)
    expect(events()).toEqual(['bootOptions', 'powerUp'])
  })

  test('brings all that is for the machine by one boot, whoever asks for it', async () => {
    const { jobFor, clock, adapter, versionOf, publisher, events, run } = await start()
    const image = await bundle('BIOS', 'CSME')
    const jobs = [await jobFor('BIOS', image), await jobFor('CSME', image)]
    for (const job of jobs) await run(job, 'transfer', 'verify')
    const installed = Promise.all(jobs.map((job) => adapter.install(job)))
    await clock.advance(60_000 * 4)
    expect((await installed).map(({ ok }) => ok)).toEqual([true, true])
    expect([await versionOf('BIOS'), await versionOf('CSME')]).toEqual([newer.BIOS, newer.CSME])
    expect(publisher.asked).toHaveLength(1)
    expect(publisher.published()).toBe(0)
    expect(events().filter((event) => event === 'reset')).toHaveLength(1)
  })

  test('brings by the boot that there was what is asked for right after it, and by another one later', async () => {
    const { jobFor, adapter, clock, publisher, run } = await start()
    const image = await bundle('BIOS', 'CSME')
    const install = async (id: Id) => {
      const job = await jobFor(id, image)
      for (const stage of ['transfer', 'verify', 'install'] as const) {
        const done = adapter[stage](job)
        await clock.advance(stage === 'install' ? 150_000 : 0)
        await done
      }
    }
    await install('BIOS')
    await install('CSME')
    expect(publisher.asked).toHaveLength(1)
    // Asked for again, it is to be done again.
    await install('CSME')
    expect(publisher.asked).toHaveLength(2)
    await clock.advance(LONG_MS)
    await run(await jobFor('BIOS', image), ...stages)
    expect(publisher.asked).toHaveLength(3)
  })

  test('waits where the machine boots another image', async () => {
    const { jobFor, clock, adapter, versionOf, publisher, run } = await start()
    const jobs = [
      await jobFor('BIOS', await bundle('BIOS')),
      await jobFor('CSME', await bundle('CSME')),
    ] as const
    for (const job of jobs) await run(job, 'transfer', 'verify')
    const installed = Promise.all(jobs.map((job) => adapter.install(job)))
    await clock.advance(LONG_MS)
    expect((await installed).map(({ ok }) => ok)).toEqual([true, true])
    expect([await versionOf('BIOS'), await versionOf('CSME')]).toEqual([newer.BIOS, newer.CSME])
    expect(publisher.asked).toHaveLength(2)
  })

  test('is done by whoever waited when the one who began is stopped', async () => {
    const { jobFor, clock, adapter, versionOf, publisher, run } = await start()
    const image = await bundle('BIOS', 'CSME')
    const abort = new AbortController()
    const [first, second] = [await jobFor('BIOS', image, abort.signal), await jobFor('CSME', image)]
    for (const job of [first, second]) await run(job, 'transfer', 'verify')
    const stopped = rejection(adapter.install(first))
    const installed = adapter.install(second)
    await clock.advance(6_000)
    abort.abort(new Error('not wanted'))
    expect(await stopped).toBe('not wanted')
    await clock.advance(LONG_MS)
    expect(await installed).toMatchObject({ ok: true })
    expect(await versionOf('CSME')).toBe(newer.CSME)
    expect(publisher.published()).toBe(0)
  })

  test('tells the version as the machine writes it', async () => {
    const { jobFor, run } = await start()
    const image = await buffer(buildBundle([{ ...orders.CSME, version: '16.1.30' }]))
    const job = { ...(await jobFor('CSME', image)), version: '16.1.30' }
    expect(await run(job, ...stages)).toEqual({ ok: true, value: { version: '16.1.30.0' } })
  })
})

describe('why a machine is not updated', () => {
  test.each([
    ['its user has not consented', { consent: 'all' }, 'Redflash.UserConsentRequired'],
    ['it does not boot by HTTPS', { httpsBoot: 'disabled' }, 'Redflash.NetworkBootNotEnabled'],
    ['it cannot boot by HTTPS', { httpsBoot: 'absent' }, 'Redflash.NetworkBootNotEnabled'],
  ] as const)('is told, and nothing is done to it, where %s', async (_what, options, why) => {
    const { jobFor, run, events, publisher } = await start(options)
    expect(whyOf(await run(await jobFor('BIOS', await bundle('BIOS')), ...stages))).toEqual([why])
    expect(events()).toEqual([])
    expect(publisher.published()).toBe(0)
  })

  test('is over when its user has consented', async () => {
    const { jobFor, run, adapter, address, clock, screen, machine, versionOf } = await start({
      consent: 'all',
    })
    const job = await jobFor('BIOS', await bundle('BIOS'))
    await run(job, 'transfer', 'verify')
    await adapter.abilities.askConsent(address, never)
    await adapter.abilities.giveConsent(address, /\d{6}/.exec(screen[0] ?? '')?.[0] ?? '', never)
    const installed = adapter.install(job)
    await clock.advance(120_000)
    expect(await installed).toMatchObject({ ok: true })
    expect(await versionOf('BIOS')).toBe(newer.BIOS)
    // Consent was for this boot, and does not wait until its time is over.
    expect(machine.consent.isGiven).toBe(false)
    expect(whyOf(await run(job, ...stages))).toEqual(['Redflash.UserConsentRequired'])
  })

  test.each<[Fault, Id, string, string]>([
    ['fetch', 'BIOS', 'Redflash.DeviceRefusedImage', factory.bios],
    ['verify', 'BIOS', 'Redflash.DeviceRefusedImage', factory.bios],
    ['bios', 'BIOS', 'Redflash.DeviceKeptVersion', factory.bios],
    ['hang', 'BIOS', 'Redflash.DeviceFailed', factory.bios],
  ])('is told where its fault is %s', async (fault, id, why, version) => {
    const { jobFor, run, versionOf } = await start({ faults: new Set([fault]) })
    expect(whyOf(await run(await jobFor(id, await bundle(id)), ...stages))).toEqual([why])
    expect(await versionOf(id)).toBe(version)
  })

  test('is told where its CSME comes back with the recovery firmware', async () => {
    const { jobFor, run, versionOf, events } = await start({ faults: new Set<Fault>(['csme']) })
    const result = await run(await jobFor('CSME', await bundle('CSME')), ...stages)
    expect(whyOf(result)).toEqual(['Redflash.DeviceRunsRecovery'])
    expect(await versionOf('CSME')).toBe(factory.recovery)
    expect(events()).toEqual(['bootOptions', 'reset', 'updateStarted', 'updateFailed'])
  })

  test('is that its power was cut while the CSME was written, which then runs its recovery firmware', async () => {
    const { jobFor, run, adapter, address, clock, machine, versionOf } = await start()
    const job = await jobFor('CSME', await bundle('CSME'))
    await run(job, 'transfer', 'verify')
    const installed = adapter.install(job)
    const { postMs, verifyMs } = machine.options.times
    await clock.advance(postMs + verifyMs + 5_000)
    await adapter.reset(address, { of: 'system', type: 'ForceOff' }, never)
    await clock.advance(LONG_MS)
    expect(whyOf(await installed)).toEqual(['Redflash.DeviceFailed'])
    expect(await versionOf('CSME')).toBe(factory.recovery)
  })

  test.each([
    ['has nothing for it', async () => buffer(buildBundle([{ ...orders.BIOS, softwareId: 'another' }]))],
    ['is broken', async () => (await bundle('BIOS')).subarray(0, 100_000)],
    ['has other bytes than it says', async () => (await bundle('BIOS')).fill(1, 100_000, 100_001)],
  ])('is told where the image %s', async (_what, make) => {
    const { jobFor, run, screen, versionOf } = await start()
    const result = await run(await jobFor('BIOS', await make()), ...stages)
    expect(whyOf(result)).toEqual(['Redflash.DeviceRefusedImage'])
    expect(screen.at(-1)).toContain('is not used')
    expect(await versionOf('BIOS')).toBe(factory.bios)
  })

  test('is told where other bytes come than were announced to it', async () => {
    const { jobFor, run, screen } = await start()
    const job = await jobFor('BIOS', await bundle('BIOS'))
    const announced = { ...job, package: { ...job.package, sha256: 'ab'.repeat(32) } }
    expect(whyOf(await run(announced, ...stages))).toEqual(['Redflash.DeviceRefusedImage'])
    expect(screen.at(-1)).toContain('not the image that was announced')
  })
})

test('a machine answers nobody while its CSME starts anew', async () => {
  const { jobFor, run, adapter, address, clock, machine } = await start()
  const job = await jobFor('CSME', await bundle('CSME'))
  await run(job, 'transfer', 'verify')
  const installed = adapter.install(job)
  const { postMs, verifyMs, installMs, csmeRestartMs } = machine.options.times
  await clock.advance(postMs + verifyMs + installMs + csmeRestartMs / 2)
  expect(await adapter.look(address, never)).toMatchObject({ ok: false, problem: { kind: 'unreachable' } })
  await clock.advance(LONG_MS)
  expect(await installed).toMatchObject({ ok: true })
})

describe('certificates', () => {
  test('of a server of images are verified by the machine', async () => {
    const authority = await createAuthority()
    const { certificate: cert, privateKey: key } = await certificateFor(['localhost', '127.0.0.1'], authority)
    const trusted = await start({ images: { ca: authority.certificate, cert, key } })
    const image = await bundle('BIOS')
    expect(await trusted.run(await trusted.jobFor('BIOS', image), ...stages)).toMatchObject({ ok: true })
    expect(await trusted.versionOf('BIOS')).toBe(newer.BIOS)
    const other = await createAuthority()
    const untrusted = await start({ images: { ca: other.certificate, cert, key } })
    const refused = await untrusted.run(await untrusted.jobFor('BIOS', image), ...stages)
    expect(whyOf(refused)).toEqual(['Redflash.DeviceRefusedImage'])
    expect(untrusted.publisher.asked).toEqual([])
  })

  test.each([
    ['anybody', undefined, true],
    ['its authority', 'its', true],
    ['another authority', 'another', false],
  ])('of a machine are taken by who trusts %s', async (_whom, trusted, isTaken) => {
    const authority = await createAuthority()
    const { certificate: cert, privateKey: key } = await certificateFor(['localhost', '127.0.0.1'], authority)
    const trustedCertificates = trusted && [
      (trusted === 'its' ? authority : await createAuthority()).certificate,
    ]
    const {
      adapter,
      address,
      httpsUrl = '',
    } = await startMachine({
      tls: { cert, key },
      ...(trustedCertificates && { trustedCertificates }),
    })
    const seen = await adapter.look({ ...address, hostName: httpsUrl }, never)
    expect(seen).toMatchObject(isTaken ? { ok: true } : { ok: false, problem: { kind: 'untrusted' } })
  })
})

test.each([
  ['http://127.0.0.1/', false],
  ['http://192.0.2.1/', true],
  ['http://127.0.0.1.example/', true],
  ['ftp://127.0.0.1/', true],
])('a BIOS does not boot from %s, whether HTTP is allowed or not (%s)', async (url, allowHttp) => {
  const fetcher = createBootFetcher({ allowHttp })
  await expect(buffer(fetcher.fetch(url, never))).rejects.toThrow('does not boot by')
  await fetcher.close()
})
