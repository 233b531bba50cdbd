import { expect, test } from 'vitest'
import { fileNameOf } from '../src/http/content-disposition.ts'

test.each([
  [undefined, undefined],
  ['', undefined],
  ['attachment', undefined],
  ['attachment; filename=bios.bin', 'bios.bin'],
  ['attachment; filename="bios 1.2.bin"', 'bios 1.2.bin'],
  ['attachment;filename = "a;b.bin" ; size=3', 'a;b.bin'],
  ['attachment; filename="say \\"hi\\".bin"', 'say "hi".bin'],
  ['form-data; name="UpdateFile"; FileName="x.bin"', 'x.bin'],
  ["attachment; filename*=UTF-8''b%C3%AFos.bin", 'bïos.bin'],
  ['attachment; filename="plain.bin"; filename*=utf-8\'en\'ext%20ended.bin', 'ext ended.bin'],
  ['attachment; filename="plain.bin"; filename*=utf-8\'\'%E0%A4%A', 'plain.bin'],
  ["attachment; filename*=utf-8''%ff", undefined],
  ['attachment; filename=""', ''],
  ['attachment; filename="unterminated', undefined],
  ['attachment; xfilename=a', undefined],
])('the Content-Disposition %s names the file %s', (header, name) => {
  expect(fileNameOf(header)).toBe(name)
})
