-- Which documents a procedure needs, and how old they may be in days (NULL: any age).

CREATE TABLE procedure_requirements (
    procedure_code TEXT NOT NULL,
    requirement_id TEXT NOT NULL,
    title TEXT NOT NULL,
    document_type TEXT NOT NULL,
    max_age_days BIGINT,
    PRIMARY KEY (procedure_code, requirement_id)
);

INSERT INTO procedure_requirements (procedure_code, requirement_id, title, document_type, max_age_days) VALUES
    ('knee_replacement', 'referral', 'Referral to the orthopaedic surgeon', 'referral_letter', 365),
    ('knee_replacement', 'knee_imaging', 'X-ray or MRI of the knee', 'imaging_report', 180),
    ('knee_replacement', 'blood_tests', 'Blood tests, including blood count and clotting', 'lab_report', 30),
    ('knee_replacement', 'medication_list', 'Current prescriptions', 'prescription', 90),
    ('knee_replacement', 'earlier_stays', 'Discharge summary of an earlier hospital stay', 'discharge_summary', NULL);

INSERT INTO procedure_requirements (procedure_code, requirement_id, title, document_type, max_age_days) VALUES
    ('hip_replacement', 'referral', 'Referral to the orthopaedic surgeon', 'referral_letter', 365),
    ('hip_replacement', 'hip_imaging', 'X-ray or MRI of the hip', 'imaging_report', 180),
    ('hip_replacement', 'blood_tests', 'Blood tests, including blood count and clotting', 'lab_report', 30),
    ('hip_replacement', 'medication_list', 'Current prescriptions', 'prescription', 90),
    ('hip_replacement', 'earlier_stays', 'Discharge summary of an earlier hospital stay', 'discharge_summary', NULL);

INSERT INTO procedure_requirements (procedure_code, requirement_id, title, document_type, max_age_days) VALUES
    ('cataract_surgery', 'referral', 'Referral to the eye surgeon', 'referral_letter', 365),
    ('cataract_surgery', 'eye_measurement', 'Ultrasound measurement of the eye', 'imaging_report', 180),
    ('cataract_surgery', 'blood_sugar', 'Blood sugar and clotting', 'lab_report', 90),
    ('cataract_surgery', 'medication_list', 'Current prescriptions, including eye drops', 'prescription', 90);

INSERT INTO procedure_requirements (procedure_code, requirement_id, title, document_type, max_age_days) VALUES
    ('gallbladder_removal', 'referral', 'Referral to the surgeon', 'referral_letter', 180),
    ('gallbladder_removal', 'abdominal_ultrasound', 'Ultrasound of the abdomen', 'imaging_report', 90),
    ('gallbladder_removal', 'liver_tests', 'Liver tests and blood count', 'lab_report', 30),
    ('gallbladder_removal', 'medication_list', 'Current prescriptions', 'prescription', 90),
    ('gallbladder_removal', 'earlier_stays', 'Discharge summary of an earlier hospital stay', 'discharge_summary', NULL);

INSERT INTO procedure_requirements (procedure_code, requirement_id, title, document_type, max_age_days) VALUES
    ('hernia_repair', 'referral', 'Referral to the surgeon', 'referral_letter', 365),
    ('hernia_repair', 'abdominal_imaging', 'Ultrasound or CT of the hernia', 'imaging_report', 180),
    ('hernia_repair', 'blood_tests', 'Blood count and clotting', 'lab_report', 60),
    ('hernia_repair', 'medication_list', 'Current prescriptions', 'prescription', 90);

INSERT INTO procedure_requirements (procedure_code, requirement_id, title, document_type, max_age_days) VALUES
    ('coronary_bypass', 'referral', 'Referral by the cardiologist', 'referral_letter', 90),
    ('coronary_bypass', 'coronary_imaging', 'Coronary angiography or CT', 'imaging_report', 90),
    ('coronary_bypass', 'chest_imaging', 'X-ray of the chest', 'imaging_report', 90),
    ('coronary_bypass', 'blood_tests', 'Blood tests, including kidney function and clotting', 'lab_report', 14),
    ('coronary_bypass', 'medication_list', 'Current prescriptions', 'prescription', 30),
    ('coronary_bypass', 'cardiac_stays', 'Discharge summary of the last cardiac stay', 'discharge_summary', 365);
