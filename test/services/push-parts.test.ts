import { expect, test } from 'vitest'
import { uris } from '../../src/redfish/uris.ts'
import { startEmulator } from '../support/emulator.ts'
import { bundleOf } from '../support/images.ts'
import { messageKeys, multipartBody, type WrittenPart } from '../support/multipart.ts'
import { validateBody, validateError } from '../support/schemas.ts'

const image = await bundleOf({ 'NIC-1': '22.42.1' })
const parameters: WrittenPart = { name: 'UpdateParameters', body: '{}', type: 'application/json' }
const file: WrittenPart = { name: 'UpdateFile', body: image, file: 'update.tar' }
const oem: WrittenPart = { name: 'OemContoso', body: '{"Colour":"red"}', type: 'application/json' }

/** Pushes these parts; whatever is refused must leave neither a task nor an image behind. */
async function pushParts(parts: readonly WrittenPart[], end?: string) {
  const emulator = await startEmulator()
  const answer = await emulator.send(uris.multipartPush, { method: 'POST', ...multipartBody(parts, end) })
  const spooled = emulator.spool.entries.size
  await emulator.clock.advance(60_000)
  const { Version } = await emulator.get(uris.firmware('NIC-1'))
  return { ...answer, spooled, left: emulator.spool.entries.size, version: Version }
}

test.each<[string, WrittenPart[]]>([
  ['the parameters first', [parameters, file]],
  ['the image first', [file, parameters]],
  ['Oem parts around and between', [oem, parameters, { ...oem, name: 'OemOther', file: 'x' }, file, oem]],
  ['parameters as a file', [{ ...parameters, file: 'parameters.json' }, file]],
  ['parameters as a file without a name', [{ ...parameters, file: '' }, file]],
  ['an image without a file name', [parameters, { name: 'UpdateFile', body: image }]],
  ['an image with an empty file name', [parameters, { ...file, file: '' }]],
  ['an image named by its path', [parameters, { ...file, file: '/home/me/update.tar' }]],
  ['an image that calls itself text', [parameters, { ...file, type: 'text/plain' }]],
  ['parameters that do not say that they are JSON', [{ ...parameters, type: 'text/plain' }, file]],
  ['white space around the parameters', [{ ...parameters, body: '\r\n {} \n' }, file]],
])('a push with %s is accepted', async (_what, parts) => {
  const { status, json, left, version } = await pushParts(parts)
  expect(status).toBe(202)
  expect(validateBody(json)).toEqual([])
  expect(json).toMatchObject({ TaskState: 'New', PercentComplete: 0 })
  expect({ left, version }).toEqual({ left: 0, version: '22.42.1' })
})

test.each<[string, WrittenPart[], string[]]>([
  ['no parts', [], ['MissingOrMalformedPart']],
  ['no parameters', [file], ['MissingOrMalformedPart']],
  ['no image', [parameters], ['MissingOrMalformedPart']],
  ['two images', [parameters, file, file], ['MissingOrMalformedPart']],
  ['two images before the parameters', [file, file, parameters], ['MissingOrMalformedPart']],
  ['parameters twice', [parameters, parameters, file], ['MissingOrMalformedPart']],
  ['a part of another name', [parameters, file, { ...oem, name: 'Contoso' }], ['MissingOrMalformedPart']],
  ['a part named in lower case', [parameters, { ...file, name: 'updatefile' }], ['MissingOrMalformedPart']],
  ['an empty image', [parameters, { ...file, body: '' }], ['PropertyMissing']],
  ['an empty image first', [{ ...file, body: '' }, parameters], ['PropertyMissing']],
  ['parameters that are empty', [{ ...parameters, body: '' }, file], ['MalformedJSON']],
  ['parameters that are broken', [{ ...parameters, body: '{"Targets":[' }, file], ['MalformedJSON']],
  ['parameters that are an array', [{ ...parameters, body: '[]' }, file], ['MalformedJSON']],
  ['parameters that are null', [{ ...parameters, body: 'null' }, file], ['MalformedJSON']],
  ['parameters that are text', [{ ...parameters, body: '"{}"' }, file], ['MalformedJSON']],
])('a push with %s is 400', async (_what, parts, keys) => {
  const { status, json, spooled, version } = await pushParts(parts)
  expect(status).toBe(400)
  expect([...new Set(messageKeys(json))]).toEqual(keys)
  expect(validateError(json)).toEqual([])
  expect({ spooled, version }).toEqual({ spooled: 0, version: '22.41.1000' })
})

test.each([
  ['no final boundary', ''],
  ['a final boundary cut short', '--test-boundary-7d2'],
])('a push with %s is 400', async (_what, end) => {
  for (const parts of [
    [parameters, file],
    [file, parameters],
  ]) {
    const { status, json, spooled } = await pushParts(parts, end)
    expect(status).toBe(400)
    expect(messageKeys(json)).toContain('MissingOrMalformedPart')
    expect(validateError(json)).toEqual([])
    expect(spooled).toBe(0)
  }
})

test('mistakes of the parts and of the parameters come in one answer', async () => {
  const wrong = { ...parameters, body: JSON.stringify({ Colour: 'red', Targets: ['/elsewhere'] }) }
  const { status, json } = await pushParts([{ ...oem, name: 'Contoso' }, wrong, file])
  expect(status).toBe(400)
  expect(messageKeys(json)).toEqual(['MissingOrMalformedPart', 'PropertyUnknown', 'ResourceMissingAtURI'])
  const withoutFile = await pushParts([wrong])
  expect(messageKeys(withoutFile.json)).toEqual([
    'MissingOrMalformedPart',
    'PropertyUnknown',
    'ResourceMissingAtURI',
  ])
})

test('an empty image does not hide what is wrong with the parameters', async () => {
  const wrong = { ...parameters, body: '{"Colour":1}' }
  const { json } = await pushParts([{ ...file, body: '' }, wrong])
  expect(messageKeys(json)).toEqual(['PropertyMissing', 'PropertyUnknown'])
})

test('parameters of a mebibyte are read, longer ones are no parameters', async () => {
  const padded = (length: number): WrittenPart => ({ ...parameters, body: `{${' '.repeat(length - 2)}}` })
  expect((await pushParts([padded(2 ** 20), file])).status).toBe(202)
  const tooLong = await pushParts([padded(2 ** 20 + 1), file])
  expect(tooLong.status).toBeGreaterThanOrEqual(400)
  expect(tooLong.status).toBeLessThan(500)
  expect(tooLong.spooled).toBe(0)
})

test('the file name of a push names the task, and nothing else depends on it', async () => {
  const { json, version } = await pushParts([parameters, { ...file, file: 'BIOS-1.2.3.pdf' }])
  expect(json['Description']).toContain('BIOS-1.2.3.pdf')
  expect(version).toBe('22.42.1')
})
