export const SECRETS_OF_TESTS: readonly string[];
