import { Logger } from '@nestjs/common';

// A test that is about log lines passes a logger of its own.
Logger.overrideLogger(['fatal']);
