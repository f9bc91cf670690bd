'use strict';

const { Router } = require('express');
const authorizeRoles = require('../middleware/authorizeRoles');
const controller = require('../controllers/eventsController');

const router = Router();
const staff = authorizeRoles('admin', 'staff');
const participant = '/:uid/participants/:participantId';

router.post(`${participant}/check-in`, staff, controller.loadEvent, controller.checkIn);
router.patch(`${participant}/attendance`, staff, controller.loadEvent, controller.patchAttendance);
router.post('/:uid/auto-absence', staff, controller.loadEvent, controller.autoFlagAbsences);

module.exports = router;
