import { expect, test } from 'vitest'
import { uris } from '../../src/redfish/uris.ts'
import type { UpdateMethod } from '../../src/services/update-service/methods.ts'
import { startEmulator, type TestEmulator } from '../support/emulator.ts'
import { bundleOf } from '../support/images.ts'
import { messageKeys, multipartBody, push, pushParts, pushRaw } from '../support/multipart.ts'
import { validateBody, validateError } from '../support/schemas.ts'

const image = await bundleOf({ 'NIC-1': '22.42.1' })
const SIMPLE_UPDATE = uris.action(uris.updateService, 'UpdateService.SimpleUpdate')

/** How each way shows itself in the UpdateService, and where it is. */
const ways: Readonly<Record<UpdateMethod, { readonly shown: RegExp; readonly uris: readonly string[] }>> = {
  multipart: { shown: /"MultipartHttpPushUri/, uris: [uris.multipartPush] },
  raw: { shown: /"HttpPushUri/, uris: [uris.rawPush] },
  simple: {
    shown: /#UpdateService\.SimpleUpdate/,
    uris: [SIMPLE_UPDATE, uris.actionInfo(uris.updateService, 'SimpleUpdate')],
  },
}
const all: readonly UpdateMethod[] = ['multipart', 'raw', 'simple']
const choices: readonly (readonly UpdateMethod[])[] = [
  [],
  ['multipart'],
  ['raw'],
  ['simple'],
  ['raw', 'simple'],
  ['multipart', 'simple'],
  ['multipart', 'raw'],
  all,
]

const start = (methods: readonly UpdateMethod[]): Promise<TestEmulator> =>
  startEmulator({ updateMethods: new Set(methods) })

test.each(choices.map((methods) => [methods] as const))(
  'of the ways to give an image there are just %j (S2-08)',
  async (methods) => {
    const { get, send } = await start(methods)
    const { '@odata.etag': _, ...service } = await get(uris.updateService)
    expect(validateBody(service)).toEqual([])
    const text = JSON.stringify(service)
    expect(all.filter((method) => ways[method].shown.test(text))).toEqual(methods)
    for (const method of all) {
      for (const uri of ways[method].uris) {
        const answers = [await send(uri), await send(uri, { method: 'POST', body: { ImageURI: 1 } })]
        const isThere = answers.map(({ status }) => status !== 404)
        const expected = methods.includes(method)
        expect({ uri, isThere }).toEqual({ uri, isThere: [expected, expected] })
        expect(answers.flatMap(({ json }) => ('error' in json ? validateError(json) : []))).toEqual([])
      }
    }
  },
)

test('a way that is switched off takes no image', async () => {
  const emulator = await start(['simple'])
  const answers = [
    await push(emulator, image),
    await pushRaw(emulator, image),
    await pushRaw(emulator, multipartBody(pushParts(image)).body),
  ]
  expect(answers.map(({ status, json }) => [status, messageKeys(json)])).toEqual(
    answers.map(() => [404, ['InvalidURI']]),
  )
  expect([emulator.spool.entries.size, emulator.bmc.state.tasks.size]).toEqual([0, 0])
})

test.each<[UpdateMethod, typeof push]>([
  ['multipart', push],
  ['raw', (emulator, bytes) => pushRaw(emulator, bytes)],
])('the only way that is left, %s, works', async (method, send) => {
  const emulator = await start([method])
  expect((await send(emulator, image)).status).toBe(202)
  await emulator.clock.advance(120_000)
  expect(await emulator.get(uris.firmware('NIC-1'))).toMatchObject({ Version: '22.42.1' })
})

test('what belongs to a raw push that is switched off cannot be changed', async () => {
  const { send, get } = await start(['multipart', 'simple'])
  const body = { HttpPushUriTargetsBusy: true, HttpPushUriTargets: [], ServiceEnabled: false }
  const answer = await send(uris.updateService, { method: 'PATCH', body })
  // What is right of it is done all the same.
  expect(answer.status).toBe(200)
  expect(answer.json['@Message.ExtendedInfo']).toHaveLength(2)
  expect(JSON.stringify(await get(uris.updateService))).not.toContain('HttpPushUriTargets')
  expect(await get(uris.updateService)).toMatchObject({ ServiceEnabled: false })
})

test('privileges are asked for before anything is said of what is switched off', async () => {
  const { send } = await start([])
  expect((await send(uris.rawPush, { method: 'POST', user: null })).status).toBe(401)
})
