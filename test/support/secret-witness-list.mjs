/**
 * Tokens and passwords that stand in tests. The secret witness learns its own as they are used; this list is for what is
 * printed by processes that tests start (scripts/secret-search.mjs). A test says what is missing here.
 */
export const SECRETS_OF_TESTS = [
  'hunter2',
  'hunter3',
  'hunter4',
  'S3CRET',
  'T0KEN',
  'sw0rdfish',
  'an-api-key',
  'db_admin:x/y+z',
  'may-nothing',
  'p:ä@s/s w%rd',
  'pässwörd',
  'the-first-one',
  'the-second-one',
  'lark-song',
  'lark:song',
  'grün-api-key',
  'lone-token',
  'a-token-of-one',
  'asked-token',
  'open sesame',
  'a-fixed-token',
  'token-unknown',
  'token-first',
  'token-old',
  'good-token',
  'token-of-new',
  'hush-hush',
  'hush-token',
  // The password of Milvus itself is a word of every other line: only with its user.
  'root:Milvus',
];
